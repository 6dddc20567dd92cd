package carrier

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"switchboard/comms"
	"switchboard/ent/account"
	"switchboard/ent/carrierlink"
)

// ImportNow asks to import at once, by the operator's hand.
type ImportNow struct {
	Email    string                        // of the account; empty: all
	Progress func(link *comms.CarrierLink) // called with each link as its import goes on; nil: nobody looks
}

// Import imports by all active links of the account, or of all accounts, one after the other. It may run beside a server on the same
// database. That one fails does not keep the next.
func (s *Service) Import(ctx context.Context, in ImportNow) error {
	q := s.in.Read().CarrierLink.Query()
	if in.Email != "" {
		q.Where(carrierlink.HasAccountWith(account.Email(strings.ToLower(in.Email)), account.Active(true)))
	}
	links, err := q.Where(carrierlink.StateNEQ(carrierlink.StatePending)).Order(carrierlink.ByCreatedAt()).All(ctx)
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	if len(links) == 0 {
		return comms.Refused(comms.NotFound, "account", comms.ReasonNone, "no account is linked to a carrier")
	}
	var errs []error
	for _, link := range links {
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		if err := s.importByHand(ctx, link, in.Progress); err != nil {
			errs = append(errs, fmt.Errorf("%s, linked as %s: %w", link.Carrier, link.Identity, err))
		}
	}
	return errors.Join(errs...)
}

// importByHand imports by one link, be it due or not. What the carrier asked for is kept to.
func (s *Service) importByHand(ctx context.Context, link *comms.CarrierLink, progress func(*comms.CarrierLink)) error {
	if link.State != carrierlink.StateActive {
		return errors.New("the customer has withdrawn his consent: the account must be linked again")
	}
	if link.Problem == string(ProblemLimited) && link.NextAt != nil && *link.NextAt > now() {
		return fmt.Errorf("the carrier asks us not to come before %s", link.NextAt.Time().Format("15:04:05 MST"))
	}
	taken, err := s.take(ctx, link)
	if err != nil {
		return err
	}
	if taken == nil {
		return errors.New("another process imports it now")
	}
	_, err = s.importOnce(ctx, taken, progress)
	return err
}
