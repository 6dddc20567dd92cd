package call

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/trunk"
	"switchboard/internal/clock"
)

// CreateTrunk asks for a line to a carrier.
type CreateTrunk struct {
	Name           string
	IdempotencyKey string
	comms.TrunkWish
}

// NewTrunk is a trunk that was made.
type NewTrunk struct {
	Trunk    *comms.Trunk
	Replayed bool
}

// CreateTrunk makes a trunk. Only for the operator: its calls cost him money.
func (s *Service) CreateTrunk(ctx context.Context, in CreateTrunk) (*NewTrunk, error) {
	if err := s.in.Operator(ctx, comms.WriteAccount); err != nil {
		return nil, err
	}
	out := &NewTrunk{}
	key := comms.OnceKey{Scope: comms.ActorOf(ctx).AccountID.String(), Key: in.IdempotencyKey, Verb: "createTrunk", Request: []any{in.Name, in.TrunkWish}}
	replayed, err := s.in.Once(ctx, key, out, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, comms.TrunksLock); err != nil {
			return err
		}
		there, err := c.Tx().Trunk.Query().Where(trunk.Name(in.Name)).Exist(ctx)
		if err != nil {
			return fmt.Errorf("look for a trunk: %w", err)
		}
		if there {
			return comms.Refused(comms.Conflict, "name", comms.ReasonNone, "there is a trunk of this name")
		}
		out.Trunk, err = s.in.PutTrunk(ctx, c, in.Name, in.TrunkWish)
		return err
	})
	if err != nil {
		return nil, err
	}
	out.Replayed = replayed
	s.trunksChanged(ctx)
	return out, nil
}

// UpdateTrunk asks to change a trunk.
type UpdateTrunk struct {
	ID uuid.UUID
	comms.TrunkWish
}

// UpdateTrunk changes what the wish says something about. Only for the operator. Live calls go on as they are.
func (s *Service) UpdateTrunk(ctx context.Context, in UpdateTrunk) (*comms.Trunk, error) {
	return s.changeTrunk(ctx, in.ID, func(ctx context.Context, c *comms.Change, have *comms.Trunk) (*comms.Trunk, error) {
		return s.in.PutTrunk(ctx, c, have.Name, in.TrunkWish)
	})
}

// DeleteTrunk removes a trunk. Only for the operator. Numbers that name it as their line go through others that carry their calls.
func (s *Service) DeleteTrunk(ctx context.Context, id uuid.UUID) (*comms.Trunk, error) {
	return s.changeTrunk(ctx, id, func(ctx context.Context, c *comms.Change, have *comms.Trunk) (*comms.Trunk, error) {
		return have, c.Tx().Trunk.DeleteOneID(have.ID).Exec(ctx)
	})
}

func (s *Service) changeTrunk(ctx context.Context, id uuid.UUID, fn func(context.Context, *comms.Change, *comms.Trunk) (*comms.Trunk, error)) (out *comms.Trunk, err error) {
	if err := s.in.Operator(ctx, comms.WriteAccount); err != nil {
		return nil, err
	}
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := s.in.Lock(ctx, c, comms.TrunksLock); err != nil {
			return err
		}
		have, err := c.Tx().Trunk.Get(ctx, id)
		if err != nil {
			return noTrunk(err)
		}
		out, err = fn(ctx, c, have)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.trunksChanged(ctx)
	return out, nil
}

func noTrunk(err error) error {
	if ent.IsNotFound(err) {
		return comms.Refused(comms.NotFound, "id", comms.ReasonNone, "there is no such trunk")
	}
	return fmt.Errorf("read a trunk: %w", err)
}

// Trunk is one trunk, without its password. Only for the operator.
func (s *Service) Trunk(ctx context.Context, id uuid.UUID) (*comms.Trunk, error) {
	if err := s.in.Operator(ctx, comms.ReadAccount); err != nil {
		return nil, err
	}
	t, err := s.in.Read().Trunk.Get(ctx, id)
	if err != nil {
		return nil, noTrunk(err)
	}
	return t, nil
}

// ListTrunks lists the trunks, oldest first, without their passwords. Only for the operator.
func (s *Service) ListTrunks(ctx context.Context, p comms.Page) (*comms.PageOf[*comms.Trunk], error) {
	if err := s.in.Operator(ctx, comms.ReadAccount); err != nil {
		return nil, err
	}
	return comms.PageOfRows(ctx, s.in, p, comms.Rows[*comms.Trunk]{Name: 'k',
		Place: func(t *comms.Trunk) (clock.Micros, uuid.UUID) { return t.CreatedAt, t.ID },
		Read: func(ctx context.Context, where, order func(*sql.Selector), limit int) ([]*comms.Trunk, error) {
			return s.in.Read().Trunk.Query().Where(where).Order(order).Limit(limit).All(ctx)
		}})
}

// CountTrunks is how many trunks there are. Only for the operator.
func (s *Service) CountTrunks(ctx context.Context) (int, error) {
	if err := s.in.Operator(ctx, comms.ReadAccount); err != nil {
		return 0, err
	}
	return s.in.Read().Trunk.Query().Count(ctx)
}

// TrunkLine is a trunk with what its carrier knows us by, for the room that speaks SIP.
type TrunkLine struct {
	*comms.Trunk
	Password string
}

// Trunks is all trunks that are not switched off, by their names.
func (s *Service) Trunks(ctx context.Context) ([]*TrunkLine, error) {
	rows, err := s.in.Read().Trunk.Query().Where(trunk.Disabled(false)).Order(trunk.ByName()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read trunks: %w", err)
	}
	out := make([]*TrunkLine, len(rows))
	for i, t := range rows {
		password, err := s.in.TrunkPassword(t)
		if err != nil {
			return nil, err
		}
		out[i] = &TrunkLine{Trunk: t, Password: password}
	}
	return out, nil
}

// trunkWatch knows who wants to hear of changed trunks, and what was told last.
type trunkWatch struct {
	mu      sync.Mutex
	tell    []func()
	last    []*TrunkLine
	reading sync.Mutex // one compares at a time
}

// OnTrunksChanged has fn called when Trunks would answer something else than before: at once where this process changed them, within
// seconds where another one did, as `switchboard provision` is one.
func (s *Service) OnTrunksChanged(fn func()) {
	s.trunks.mu.Lock()
	defer s.trunks.mu.Unlock()
	s.trunks.tell = append(s.trunks.tell, fn)
}

// trunksEvery is how often other processes' changes are looked for.
const trunksEvery = 5 * time.Second

// runTrunks looks for changes of the trunks until ctx ends.
func (s *Service) runTrunks(ctx context.Context) {
	look := time.NewTicker(trunksEvery)
	defer look.Stop()
	for {
		s.trunksChanged(ctx)
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// trunksChanged tells whoever wants to know if the trunks are others than when it was told last.
func (s *Service) trunksChanged(ctx context.Context) {
	w := &s.trunks
	w.reading.Lock()
	defer w.reading.Unlock()
	now, err := s.Trunks(ctx)
	if err != nil {
		s.complain(ctx, "look for changed trunks", err)
		return
	}
	w.mu.Lock()
	same := slices.EqualFunc(w.last, now, sameTrunk)
	w.last = now
	tell := slices.Clone(w.tell)
	w.mu.Unlock()
	if same {
		return
	}
	for _, fn := range tell {
		fn()
	}
}

// sameTrunk compares what is stored: a trunk has no time of its last change, because it has few readers and this is cheaper than a
// column that every writer must think of.
func sameTrunk(a, b *TrunkLine) bool {
	plain := func(t *TrunkLine) any {
		return []any{t.ID, t.Name, t.Address, t.Transport, t.Username, t.Password, t.Register, t.Prefixes, t.Sources, t.CallerID,
			t.FixedCaller, t.Concurrency, t.PerMinute}
	}
	return reflect.DeepEqual(plain(a), plain(b))
}
