package carrier

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/carrierlink"
)

// job is one import of one link, which this process has leased.
type job struct {
	s        *Service
	link     *comms.CarrierLink // as it was when it was leased
	told     func(*comms.CarrierLink)
	customer *Customer

	done, total, added int // of the link, as last stored
	toldAt             int // done, when the log was last told
	bad                int // records that were left out
	luck               luck
}

// importOnce imports by a link that this process has leased, and gives it back whatever happens. told is called with the link as it goes on.
func (s *Service) importOnce(ctx context.Context, link *comms.CarrierLink, told func(*comms.CarrierLink)) (*comms.CarrierLink, error) {
	j := &job{s: s, link: link, told: told}
	j.show(link)
	working, lost := context.WithCancelCause(ctx)
	var holding sync.WaitGroup
	defer holding.Wait()
	defer lost(nil)
	limited, cancel := context.WithTimeoutCause(working, longestRun, errLongest)
	defer cancel()
	holding.Go(func() { s.hold(working, link.ID, lost) })
	err := j.run(limited)
	if cause := context.Cause(limited); cause != nil {
		err = cause
	}
	out, giving := j.giveBack(context.WithoutCancel(ctx), err)
	if out != nil {
		j.show(out)
	}
	return out, errors.Join(err, giving)
}

// errLongest says that an import has had its time; it is no failure.
var errLongest = errors.New("the import goes on later")

// run is the import itself.
func (j *job) run(ctx context.Context) error {
	carrier, err := j.s.carrierNamed("", string(j.link.Carrier))
	if err != nil {
		return &Trouble{Problem: ProblemRefused, Err: err}
	}
	key, err := j.s.in.Open(sealedAs(j.link.ID), j.link.KeySealed)
	if err != nil {
		return err
	}
	if j.customer, err = carrier.Open(ctx, string(key)); err != nil {
		return err
	}
	if j.customer.Identity != j.link.Identity {
		return &Trouble{Problem: ProblemWithdrawn, Err: errors.New("the key is not that of the customer who was linked")}
	}
	lines, err := j.customer.Lines.Lines(ctx)
	if err != nil {
		return err
	}
	if err := j.importCalls(ctx, lines); err != nil {
		return err
	}
	if err := j.importSounds(ctx, lines); err != nil {
		return err
	}
	if t := j.luck.trouble; t != nil {
		return t
	}
	return nil
}

// giveBack ends the lease and says how the import went.
func (j *job) giveBack(ctx context.Context, err error) (*comms.CarrierLink, error) {
	if errors.Is(err, errLost) {
		return nil, nil // somebody else has it, or nobody
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if j.bad > 0 {
		j.s.in.Log().WarnContext(ctx, "records of a carrier make no sense and were left out", "link", j.link.ID, "records", j.bad)
	}
	out, giving := j.s.release(ctx, j.link, func(c *comms.Change, row *comms.CarrierLink, u *ent.CarrierLinkUpdateOne) []comms.Kind {
		return j.result(c, row, u, err)
	})
	if errors.Is(giving, errLost) {
		return nil, nil
	}
	return out, giving
}

// result writes how the import went.
func (j *job) result(c *comms.Change, row *comms.CarrierLink, u *ent.CarrierLinkUpdateOne, err error) []comms.Kind {
	t := troubleOf(err)
	switch {
	case t == nil:
		every := time.Duration(row.Every) * time.Second
		u.SetTries(0).SetProblem("").SetImportedAt(c.Now()).SetNextAt(c.Now().Add(every))
	case errors.Is(err, context.Canceled), errors.Is(err, errLongest): // it goes on where it stands
		u.SetNextAt(c.Now())
	case t.Problem == ProblemWithdrawn || t.Problem == ProblemPending:
		if string(row.KeySealed) != string(j.link.KeySealed) { // he has consented anew meanwhile
			u.SetNextAt(c.Now())
			break
		}
		u.SetState(carrierlink.StateWithdrawn).SetProblem(string(ProblemWithdrawn)).SetTries(row.Tries + 1).ClearNextAt()
		return []comms.Kind{comms.RecordsImport, comms.CarrierWithdrawn}
	default:
		tries := row.Tries + 1
		if j.added > 0 { // it comes on, if slowly
			tries = 1
		}
		u.SetTries(tries).SetProblem(string(t.Problem)).SetNextAt(c.Now().Add(waitFor(tries, t)))
	}
	return []comms.Kind{comms.RecordsImport}
}

// show tells whoever looks on.
func (j *job) show(link *comms.CarrierLink) {
	if j.told != nil {
		j.told(link)
	}
}

// progressed stores, in a change that stores more, how far the import is, and tells the log of it at sensible steps.
func (j *job) progressed(ctx context.Context, c *comms.Change, done, added int) (link *comms.CarrierLink, told bool, err error) {
	link, err = c.Tx().CarrierLink.UpdateOneID(j.link.ID).SetDone(done).SetTotal(j.total).SetAdded(added).Save(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("store how far an import is: %w", err)
	}
	if told = done-j.toldAt >= max(j.total/steps, batch) && done < j.total; told {
		c.Tell(&comms.Event{Kind: comms.RecordsImport, AccountID: link.AccountID, Carrier: link})
	}
	return link, told, nil
}

const (
	batch = 100 // records that are stored together
	steps = 10  // of one import that the log is told of
)
