package carrier

import (
	"context"
	"fmt"
	"time"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/carrierlink"
)

// CheckCarrier is asked when the carrier has sent the customer back: by the id in the address, which nobody else knows. The carrier is asked
// whether the key is good, and whose it is; then the link is active and its first import due at once. It may be asked as often as one likes.
func (s *Service) CheckCarrier(ctx context.Context, id string) (*comms.CarrierLink, error) {
	link, err := s.in.Read().CarrierLink.Query().Where(carrierlink.CheckHash(s.checkHash(id))).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, notFound("id")
	}
	if err != nil {
		return nil, fmt.Errorf("find a link: %w", err)
	}
	if link.State == carrierlink.StateActive {
		return link, nil
	}
	if _, busy := s.checks.LoadOrStore(link.ID, true); busy {
		return nil, &comms.Error{Code: comms.Limited, RetryAfter: time.Second, Text: "the carrier is being asked about this already"}
	}
	defer s.checks.Delete(link.ID)
	customer, key, err := s.openAsking(ctx, link)
	if err != nil {
		return nil, s.notConsented(ctx, link, err)
	}
	link, err = s.consented(ctx, consent{id: id, link: link, key: key, identity: customer.Identity})
	if err != nil {
		return nil, err
	}
	s.hurry()
	return link, nil
}

// openAsking opens the customer with the link's key, while somebody waits.
func (s *Service) openAsking(ctx context.Context, link *comms.CarrierLink) (*Customer, []byte, error) {
	carrier, err := s.carrierNamed("", string(link.Carrier))
	if err != nil {
		return nil, nil, err
	}
	key, err := s.in.Open(sealedAs(link.ID), link.KeySealed)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	customer, err := carrier.Open(ctx, string(key))
	if err != nil {
		return nil, nil, err
	}
	if customer.Identity == "" {
		return nil, nil, &Trouble{Problem: ProblemNonsense, Err: fmt.Errorf("the carrier does not say whose the key is")}
	}
	return customer, key, nil
}

// notConsented writes down why a link is not active yet, and answers what the customer is told.
func (s *Service) notConsented(ctx context.Context, link *comms.CarrierLink, err error) error {
	told := s.asError(ctx, err)
	t := troubleOf(err)
	if ctx.Err() != nil || comms.AsError(told).Reason == comms.ReasonNotConfigured {
		return told
	}
	state := link.State
	if t.Problem == ProblemWithdrawn {
		state = carrierlink.StateWithdrawn
	}
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, link.AccountID); err != nil {
			return err
		}
		_, err := c.Tx().CarrierLink.Update().Where(carrierlink.ID(link.ID), carrierlink.StateEQ(link.State)).
			SetState(state).SetProblem(string(t.Problem)).Save(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("store why a link is not active: %w", err)
	}
	return told
}

// consent is what the carrier confirmed.
type consent struct {
	id       string // in the address
	link     *comms.CarrierLink
	key      []byte
	identity string
}

// consented makes the link active. Where the account has linked the same customer before, that link takes over the new key and goes on where
// it stands, and this one goes.
func (s *Service) consented(ctx context.Context, in consent) (out *comms.CarrierLink, err error) {
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, in.link.AccountID); err != nil {
			return err
		}
		row, err := c.Tx().CarrierLink.Query().Where(carrierlink.CheckHash(s.checkHash(in.id))).Only(ctx)
		if ent.IsNotFound(err) {
			return notFound("id")
		}
		if err != nil {
			return fmt.Errorf("find a link: %w", err)
		}
		if out = row; row.State == carrierlink.StateActive { // somebody else came first
			return nil
		}
		earlier, err := c.Tx().CarrierLink.Query().Where(carrierlink.AccountID(row.AccountID), carrierlink.CarrierEQ(row.Carrier),
			carrierlink.Identity(in.identity), carrierlink.IDNEQ(row.ID)).Only(ctx)
		if err != nil && !ent.IsNotFound(err) {
			return fmt.Errorf("look for an earlier link: %w", err)
		}
		if earlier != nil {
			if err := c.Tx().CarrierLink.DeleteOne(row).Exec(ctx); err != nil {
				return fmt.Errorf("remove a link: %w", err)
			}
			row = earlier
		}
		out, err = row.Update().SetState(carrierlink.StateActive).SetIdentity(in.identity).SetCheckHash(s.checkHash(in.id)).
			SetKeySealed(s.in.Seal(sealedAs(row.ID), in.key)).SetLinkedAt(c.Now()).SetNextAt(c.Now()).SetTries(0).SetProblem("").Save(ctx)
		if err != nil {
			return fmt.Errorf("store a link: %w", err)
		}
		c.Tell(&comms.Event{Kind: comms.CarrierLinked, AccountID: out.AccountID, Carrier: out})
		return nil
	})
	return out, err
}
