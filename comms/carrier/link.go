package carrier

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/carrierlink"
)

// LinkCarrier asks to link the caller's account with the customer's at a carrier.
type LinkCarrier struct {
	Carrier        string // "ovh"
	Base           string // our public address; the carrier sends the customer back to Base + "/ovh/check/" + id
	IdempotencyKey string
}

// Linked is a link that waits for the customer's consent.
type Linked struct {
	Link     *comms.CarrierLink
	Page     string // where he gives it
	Replayed bool
}

// The bounds of links that wait for consent. Each costs the carrier a request.
const (
	mostPending = 20
	pendingIn   = time.Hour
	pendingLife = 7 * 24 * time.Hour // a customer who has not consented by then does not
	askTime     = 20 * time.Second   // for all that a verb asks of a carrier, for which somebody waits
)

// linkMade is what is kept of a link under its idempotency key.
type linkMade struct {
	ID   uuid.UUID
	Page string
}

// LinkCarrier asks the carrier for a consent that the customer must give on a page of his. The carrier is asked before anything is written:
// a change must not wait for the network.
func (s *Service) LinkCarrier(ctx context.Context, in LinkCarrier) (*Linked, error) {
	a, err := comms.Demand(ctx, comms.WriteAccount)
	if err != nil {
		return nil, err
	}
	carrier, err := s.carrierNamed("carrier", in.Carrier)
	if err != nil {
		return nil, err
	}
	if u, err := url.Parse(in.Base); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, comms.Refused(comms.Invalid, "base", comms.ReasonNone, "base is not the address of this server")
	}
	key := comms.OnceKey{Scope: a.AccountID.String(), Key: in.IdempotencyKey, Verb: "linkCarrier", Request: in.Carrier}
	again, err := s.in.Remembers(ctx, key)
	if err != nil {
		return nil, err
	}
	var asked Asked
	id := strings.ToLower(rand.Text()) // 130 random bits: whoever has it is believed to come from the carrier
	if !again {
		if err := s.mayAsk(ctx, s.in.Read(), a.AccountID); err != nil {
			return nil, err
		}
		asking, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		if asked, err = carrier.Ask(asking, strings.TrimSuffix(in.Base, "/")+"/ovh/check/"+id); err != nil {
			return nil, s.asError(ctx, err)
		}
	}
	made := linkMade{ID: uuid.New(), Page: asked.Page}
	replayed, err := s.in.Once(ctx, key, &made, func(ctx context.Context, c *comms.Change) error {
		return s.insertLink(ctx, c, newLink{linkMade: made, account: a.AccountID, carrier: in.Carrier, key: asked.Key, check: id})
	})
	if err != nil {
		return nil, err
	}
	link, err := s.in.Read().CarrierLink.Query().Where(carrierlink.ID(made.ID), carrierlink.AccountID(a.AccountID)).Only(ctx)
	if ent.IsNotFound(err) { // the same customer was linked already, and this one went up in that one; or it was unlinked
		return nil, notFound("idempotencyKey")
	}
	if err != nil {
		return nil, fmt.Errorf("read a link: %w", err)
	}
	return &Linked{Link: link, Page: made.Page, Replayed: replayed}, nil
}

// mayAsk bounds how often an account has a carrier asked for a consent that it doesn't give.
func (s *Service) mayAsk(ctx context.Context, db *ent.Client, account uuid.UUID) error {
	since := now().Add(-pendingIn)
	rows, err := db.CarrierLink.Query().Where(carrierlink.AccountID(account), carrierlink.StateEQ(carrierlink.StatePending),
		carrierlink.CreatedAtGT(since)).Order(carrierlink.ByCreatedAt()).Limit(mostPending).All(ctx)
	if err != nil {
		return fmt.Errorf("count links: %w", err)
	}
	if len(rows) < mostPending {
		return nil
	}
	return &comms.Error{Code: comms.Limited, RetryAfter: rows[0].CreatedAt.Sub(since) + time.Second,
		Text: fmt.Sprintf("%d links wait for consent already", mostPending)}
}

// newLink is a link to be written.
type newLink struct {
	linkMade
	account             uuid.UUID
	carrier, key, check string
}

func (s *Service) insertLink(ctx context.Context, c *comms.Change, n newLink) error {
	if n.key == "" {
		return fmt.Errorf("the key under which a link was remembered is gone: %w", context.DeadlineExceeded) // to be tried again
	}
	if err := s.in.Lock(ctx, c, n.account); err != nil {
		return err
	}
	if err := s.mayAsk(ctx, c.Tx(), n.account); err != nil { // others may have asked while this one did
		return err
	}
	err := c.Tx().CarrierLink.Create().SetID(n.ID).SetAccountID(n.account).SetCarrier(carrierlink.Carrier(n.carrier)).
		SetKeySealed(s.in.Seal(sealedAs(n.ID), []byte(n.key))).SetCheckHash(s.checkHash(n.check)).
		SetEvery(int(s.every / time.Second)).SetCreatedAt(c.Now()).Exec(ctx)
	if err != nil {
		return fmt.Errorf("store a link: %w", err)
	}
	return nil
}

// sweepPending forgets links whose customers never consented.
func (s *Service) sweepPending(ctx context.Context) error {
	return s.in.InBatches(ctx, "sweep links", func(ctx context.Context, c *comms.Change) (int, error) {
		ids, err := c.Tx().CarrierLink.Query().Where(carrierlink.StateEQ(carrierlink.StatePending),
			carrierlink.CreatedAtLT(c.Now().Add(-pendingLife))).Limit(sweepBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return c.Tx().CarrierLink.Delete().Where(carrierlink.IDIn(ids...), carrierlink.StateEQ(carrierlink.StatePending)).Exec(ctx)
	})
}

const sweepBatch = 1000

// asError is what a caller is told of a carrier's trouble.
func (s *Service) asError(ctx context.Context, err error) error {
	t := troubleOf(err)
	if ctx.Err() != nil {
		return ctx.Err() // it is the caller who went away
	}
	s.in.Log().WarnContext(ctx, "a carrier does not do what was asked", "problem", t.Problem, "error", t.Err)
	switch t.Problem {
	case ProblemPending:
		return comms.Refused(comms.Forbidden, "", comms.ReasonNotConsented, "the customer has not consented yet: he does so at the carrier, then this can be tried again")
	case ProblemWithdrawn:
		return comms.Refused(comms.Forbidden, "", comms.ReasonNotConsented, "the carrier does not know this consent, or not any more: link the account again")
	case ProblemLimited:
		return &comms.Error{Code: comms.Limited, Text: "the carrier asks us to come later", RetryAfter: max(min(t.After, mostAfter), time.Second), Err: err}
	case ProblemOurs:
		return err
	}
	return &comms.Error{Code: comms.Unavailable, Reason: comms.Reason("CARRIER_" + t.Problem), Text: "the carrier can't be asked now, try again later",
		RetryAfter: firstWait / 2, Err: err}
}
