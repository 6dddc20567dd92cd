package pool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/account"
)

// ImportPool is a pool that exists elsewhere and is taken over into an account of this server. Whoever may call this verb may do everything;
// it is for the command line, not for a door.
//
// It can be asked for again and again. What is new comes in, and what is there is brought up to date; nothing is doubled, no password that
// exists is changed, and what the source no longer has stays. What can't be taken is left out, and said: the rest does not suffer from it.
type ImportPool struct {
	Email   string
	Numbers []ImportNumber
	Groups  []ImportGroup
	Phones  []ImportPhone
	Left    []Left // what of it can't even be asked for
}

// ImportNumber is a number of that pool.
type ImportNumber struct {
	Number      string // in E.164; empty: Name is no telephone number
	Name        string // as the source writes it, for what is said
	Alias       *string
	Ability     string // display, service or both
	Source      string // trunk or virtual
	Concurrency int
	Line        string
	Disabled    bool
	Groups      []string // names
}

// ImportGroup is a group of that pool.
type ImportGroup struct{ Name string }

// ImportPhone is a telephone of that pool.
type ImportPhone struct{ Number, Password string }

// Imported is what became of it.
type Imported struct {
	Numbers Counts `json:"numbers"`
	Groups  Counts `json:"groups"`
	Phones  Counts `json:"telephones"`
	Left    []Left `json:"left"`
}

// Counts are how many of a kind are new here, were changed, and were as they should be.
type Counts struct {
	New     int `json:"new"`
	Changed int `json:"changed"`
	Same    int `json:"same"`
}

// The kinds of what is taken over.
const (
	KindNumber = "number"
	KindGroup  = "group"
	KindPhone  = "telephone"
)

// Left is what was not taken over, or not as it is there.
type Left struct {
	Kind string `json:"kind"`
	Name string `json:"name"` // as the source has it, as far as it can be printed
	Why  string `json:"why"`
}

// Taken is how many things of the source are here now.
func (i *Imported) Taken() int {
	n := 0
	for _, c := range []Counts{i.Numbers, i.Groups, i.Phones} {
		n += c.New + c.Changed + c.Same
	}
	return n
}

// importBatch is how much one change takes over: other changes get their turn in between.
const importBatch = 200

// ImportPool takes it over. An error says that it could not go on; what was done until then stays, and asking again does the rest.
func (s *Service) ImportPool(ctx context.Context, in ImportPool) (*Imported, error) {
	email := strings.ToLower(strings.TrimSpace(in.Email))
	id, err := s.in.Read().Account.Query().Where(account.Email(email), account.Active(true)).OnlyID(ctx)
	if ent.IsNotFound(err) {
		return nil, comms.Refused(comms.NotFound, "email", comms.ReasonNone, "there is no account "+email)
	}
	if err != nil {
		return nil, fmt.Errorf("look for an account: %w", err)
	}
	i := &importing{Service: s, account: id, pool: in, out: &Imported{Left: []Left{}}, members: map[string][]uuid.UUID{}}
	for _, l := range in.Left {
		i.leave(l.Kind, l.Name, l.Why)
	}
	for _, step := range []func(context.Context) error{i.takeNumbers, i.takeGroups, i.takePhones} {
		if err := step(ctx); err != nil {
			return i.out, err
		}
	}
	return i.out, nil
}

// importing takes one pool over.
type importing struct {
	*Service
	account uuid.UUID
	pool    ImportPool
	out     *Imported
	members map[string][]uuid.UUID // of each group by its name, what is the account's now
}

// batch is one change of it. What it did counts only when that is committed, for a change may run again.
type batch struct {
	*comms.Change
	counts  Counts
	left    []Left
	members []member
}

// member is a number of a group.
type member struct {
	group  string
	number uuid.UUID
}

func (b *batch) leave(kind, name, why string) {
	b.left = append(b.left, Left{kind, printable(name), why})
}

// printable is a name from elsewhere such that it is safe on a terminal, and no longer than a name may be here.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
	if r := []rune(name); len(r) > longestName {
		return string(r[:longestName]) + "..."
	}
	return name
}

const longestName = 64

// inBatches has items taken over in changes of their own.
func inBatches[T any](ctx context.Context, i *importing, items []T, to *Counts, fn func(context.Context, *batch, []T) error) error {
	for chunk := range slices.Chunk(items, importBatch) {
		var b *batch
		err := i.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
			b = &batch{Change: c}
			if err := i.in.Lock(ctx, c, comms.PhonesLock, i.account); err != nil { // in one call, as provisioning takes them
				return err
			}
			return fn(ctx, b, chunk)
		})
		if err != nil {
			return err
		}
		to.New, to.Changed, to.Same = to.New+b.counts.New, to.Changed+b.counts.Changed, to.Same+b.counts.Same
		i.out.Left = append(i.out.Left, b.left...)
		for _, m := range b.members {
			i.members[m.group] = append(i.members[m.group], m.number)
		}
	}
	return nil
}
