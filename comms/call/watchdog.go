package call

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

const (
	watchEvery = 5 * time.Second
	sweepEvery = 10 * time.Minute
	// slack is how much later than a call's own timers the watchdog looks: they are the engine's, and nearer to what happens.
	slack = 30 * time.Second
	// longestAsk is how long a call may be answered by the server itself, which asks for digits.
	longestAsk = 2 * time.Minute
)

// Run does what time demands until ctx ends: it watches over live calls, and has all else of this room swept. Then it waits for the orders
// that are under way.
func (s *Service) Run(ctx context.Context) {
	var tending sync.WaitGroup
	for _, tend := range []func(context.Context){s.runContacts, s.runTrunks, s.runRecordings, s.tendMasks, s.sweepSlowly} {
		tending.Go(func() { tend(ctx) })
	}
	defer s.orders.Wait()
	defer tending.Wait()
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-watch.C:
			if err := s.Watch(ctx, clock.Now()); err != nil && ctx.Err() == nil {
				s.in.Log().ErrorContext(ctx, "watch over the calls", "error", err)
			}
		}
	}
}

func (s *Service) sweepSlowly(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		now := clock.Now()
		if err := errors.Join(s.SweepMasks(ctx, now), s.SweepSignatures(ctx, now)); err != nil && ctx.Err() == nil {
			s.in.Log().ErrorContext(ctx, "sweep masks", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Watch ends what nothing else ends: calls whose reports are overdue, calls whose end could not be written down, records of calls that no
// process holds.
func (s *Service) Watch(ctx context.Context, now clock.Micros) error {
	var errs []error
	for _, o := range s.live.overdue(now) {
		s.in.Log().WarnContext(ctx, "a call is ended because nothing was heard of it", "call", o.id, "why", o.end.Why)
		s.orderEnd(ctx, o.id, o.end)
		errs = append(errs, s.CallEnded(ctx, o.id, o.end))
	}
	return errors.Join(append(errs, s.endGone(ctx, now), s.endOrphans(ctx, now))...)
}

// endGone ends calls whose records were deleted with their number by another process: nothing shows them any more.
func (s *Service) endGone(ctx context.Context, now clock.Micros) error {
	held := s.live.heldSince(now.Add(-slack))
	if len(held) == 0 {
		return nil
	}
	there, err := s.in.Read().Call.Query().Where(call.EndedAtIsNil(), call.Node(s.in.Node())).Select(call.FieldConversationID).All(ctx)
	if err != nil {
		return fmt.Errorf("look for the records of live calls: %w", err)
	}
	for _, row := range there {
		delete(held, row.ConversationID)
	}
	var errs []error
	for id := range held {
		if s.live.holds(id) { // it did not end meanwhile
			end := End{Why: WhyDeleted, By: ByUs}
			s.orderEnd(ctx, id, end)
			errs = append(errs, s.CallEnded(ctx, id, end))
		}
	}
	return errors.Join(errs...)
}

// endOrphans ends records that live though nobody holds their call: of this process, if its engine forgot one, and of others that died
// and were not started again, once no call can last as long.
func (s *Service) endOrphans(ctx context.Context, now clock.Micros) error {
	longest := s.limits.Longest + longestRing + longestAsk + slack
	rows, err := s.in.Read().Call.Query().Where(call.EndedAtIsNil(), call.Or(
		call.And(call.Node(s.in.Node()), call.CreatedAtLT(now.Add(-slack))), call.CreatedAtLT(now.Add(-longest)))).All(ctx)
	if err != nil {
		return fmt.Errorf("look for calls that nobody holds: %w", err)
	}
	var errs []error
	for _, row := range rows {
		if !s.live.knows(row.ConversationID) {
			errs = append(errs, s.CallEnded(ctx, row.ConversationID, End{Why: WhyLost, By: ByUs}))
		}
	}
	return errors.Join(errs...)
}

// Restart ends what was live when this node died. It is called once, before calls come in: what is answered then was answered, and lasted
// until now as far as anybody knows.
func (s *Service) Restart(ctx context.Context) error {
	rows, err := s.in.Read().Call.Query().Where(call.EndedAtIsNil(), call.Node(s.in.Node())).Order(call.ByCreatedAt()).All(ctx)
	if err != nil {
		return fmt.Errorf("look for calls that were live: %w", err)
	}
	for _, row := range rows {
		if err := s.CallEnded(ctx, row.ConversationID, End{Why: WhyRestart, By: ByUs}); err != nil {
			return err
		}
	}
	if len(rows) > 0 {
		s.in.Log().InfoContext(ctx, "calls that were live when this server stopped are ended", "records", len(rows))
	}
	return nil
}

// orderEnd has the engine drop a call. That it has no such call is no matter; anything else is only worth a word, because the rules go on
// without it.
func (s *Service) orderEnd(ctx context.Context, id uuid.UUID, end End) {
	if s.engine == nil {
		return
	}
	if err := s.engine.Order(ctx, id, Order{HangUp: &end}); err != nil && !comms.IsCode(err, comms.NotFound) {
		s.in.Log().WarnContext(ctx, "the engine doesn't end a call", "call", id, "error", err)
	}
}
