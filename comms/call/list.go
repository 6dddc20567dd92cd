package call

import (
	"context"
	"fmt"
	"slices"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/ent/number"
	"switchboard/ent/predicate"
	"switchboard/internal/clock"
)

// CallFilter says which calls to list. All that is set must hold.
type CallFilter struct {
	NumberIDs                []uuid.UUID // of the account's own numbers
	Peer                     string      // the other side, or whom the call was put through to
	Status                   []call.Status
	Outcome                  []call.Outcome
	Direction                call.Direction // empty: both
	MinDuration, MaxDuration *int           // seconds of conversation
	Since                    clock.Micros   // at or after
	Until                    clock.Micros   // before
	Live                     *bool          // not ended yet
}

// mostNumbers is how many numbers a filter may name.
const mostNumbers = 1000

// Calls is a page of the records of the caller's account, newest first.
func (s *Service) Calls(ctx context.Context, f CallFilter, p comms.Page) (*comms.PageOf[*comms.Call], error) {
	where, err := s.search(ctx, f)
	if err != nil {
		return nil, err
	}
	return comms.PageOfRows(ctx, s.in, p, comms.Rows[*comms.Call]{Name: 'c', Newest: true,
		Place: func(c *comms.Call) (clock.Micros, uuid.UUID) { return c.CreatedAt, c.ID },
		Read: func(ctx context.Context, window, order func(*sql.Selector), limit int) ([]*comms.Call, error) {
			rows, err := s.in.Read().Call.Query().Where(where...).Where(window).Order(order).Limit(limit).All(ctx)
			if err != nil {
				return nil, fmt.Errorf("read calls: %w", err)
			}
			return rows, nil
		}})
}

// CountCalls is how many calls the filter finds.
func (s *Service) CountCalls(ctx context.Context, f CallFilter) (int, error) {
	where, err := s.search(ctx, f)
	if err != nil {
		return 0, err
	}
	n, err := s.in.Read().Call.Query().Where(where...).Count(ctx)
	if err != nil {
		return 0, fmt.Errorf("count calls: %w", err)
	}
	return n, nil
}

// search is the filter made ready. The account's index on time, or the number's, finds the rows; all else is looked at in them.
func (s *Service) search(ctx context.Context, f CallFilter) ([]predicate.Call, error) {
	a, err := comms.Demand(ctx, comms.ReadRecords)
	if err != nil {
		return nil, err
	}
	out := []predicate.Call{call.AccountID(a.AccountID)}
	add := func(set bool, p predicate.Call) {
		if set {
			out = append(out, p)
		}
	}
	if err := s.ownNumbers(ctx, a.AccountID, f.NumberIDs); err != nil {
		return nil, err
	}
	if len(f.NumberIDs) > 0 {
		out = append(out, call.NumberIDIn(f.NumberIDs...))
	}
	if f.Peer != "" {
		peer := f.Peer
		if !allDigits(peer) || len(peer) >= 7 { // a telephone's number is shorter, and is looked for as it is
			if peer, err = comms.CanonicalNumber("peer", peer); err != nil {
				return nil, err
			}
		}
		out = append(out, call.Or(call.PeerIn(peer, f.Peer), call.SecondIn(peer, f.Peer)))
	}
	add(len(f.Status) > 0, call.StatusIn(f.Status...))
	add(len(f.Outcome) > 0, call.OutcomeIn(f.Outcome...))
	add(f.Direction != "", call.DirectionEQ(f.Direction))
	add(f.Since != 0, call.CreatedAtGTE(f.Since))
	add(f.Until != 0, call.CreatedAtLT(f.Until))
	if f.MinDuration != nil {
		out = append(out, call.DurationGTE(*f.MinDuration))
	}
	if f.MaxDuration != nil {
		out = append(out, call.DurationLTE(*f.MaxDuration))
	}
	if f.Live != nil {
		add(*f.Live, call.EndedAtIsNil())
		add(!*f.Live, call.EndedAtNotNil())
	}
	return out, nil
}

// ownNumbers refuses ids that are not the account's own numbers.
func (s *Service) ownNumbers(ctx context.Context, account uuid.UUID, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	if len(ids) > mostNumbers {
		return invalid("numberIds", "at most %d numbers", mostNumbers)
	}
	distinct := slices.Clone(ids)
	slices.SortFunc(distinct, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	distinct = slices.Compact(distinct)
	n, err := s.in.Read().Number.Query().Where(number.AccountID(account), number.IDIn(distinct...)).Count(ctx)
	if err != nil {
		return fmt.Errorf("find the numbers: %w", err)
	}
	if n != len(distinct) {
		return notFound("numberIds", "there is no such number")
	}
	return nil
}

// Call is one of the caller's account.
func (s *Service) Call(ctx context.Context, id uuid.UUID) (*comms.Call, error) {
	a, err := comms.Demand(ctx, comms.ReadRecords)
	if err != nil {
		return nil, err
	}
	return s.ownCall(ctx, a.AccountID, id)
}

func (s *Service) ownCall(ctx context.Context, account, id uuid.UUID) (*comms.Call, error) {
	row, err := s.in.Read().Call.Query().Where(call.ID(id), call.AccountID(account)).Only(ctx)
	if ent.IsNotFound(err) {
		return nil, notFound("id", "there is no such call")
	}
	if err != nil {
		return nil, fmt.Errorf("read a call: %w", err)
	}
	return row, nil
}

// CallsByID are those of the ids that are calls of the caller's account, in one statement.
func (s *Service) CallsByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*comms.Call, error) {
	a, err := comms.Demand(ctx, comms.ReadRecords)
	if err != nil {
		return nil, err
	}
	rows, err := s.in.Read().Call.Query().Where(call.IDIn(ids...), call.AccountID(a.AccountID)).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read calls: %w", err)
	}
	out := make(map[uuid.UUID]*comms.Call, len(rows))
	for _, r := range rows {
		out[r.ID] = r
	}
	return out, nil
}
