package comms

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/internal/clock"
)

// Page says which part of a list to give: the First items after After, or the Last before Before; First and Last exclude each other.
type Page struct {
	First, Last   *int
	After, Before *string
}

// PageOf is a part of a list, in the list's order whichever end it was asked from.
type PageOf[T any] struct {
	Items                []T
	Cursors              []string
	HasNext, HasPrevious bool
}

const defaultPage = 50

// place is an item's place in a list: lists are ordered by time and id, or (zero time) by a number.
type place struct {
	at clock.Micros
	id uuid.UUID
	n  int64
}

// list tells the pager of a list. The columns are unique together, and indexed in that order.
type list[T any] struct {
	name    byte     // goes into the cursors, so that one of another list is refused
	counted bool     // the second column is a number, not a UUID
	columns []string // {"created_at", "id"} or {"id"}
	newest  bool     // newest first
	place   func(T) place
	read    func(ctx context.Context, w window) ([]T, error)
}

// window is the part of a list to read: its functions fit ent's Where and Order.
type window struct {
	where func(*sql.Selector)
	order func(*sql.Selector)
	down  bool // order, in a word
	limit int

	after, before *place // where, for who does not ask the database
}

// byTime are the columns of lists that are ordered by when things were made.
var byTime = []string{"created_at", "id"}

// pageOf reads one page in one statement, by seeking to the cursor. One item more than asked for is read: it tells whether there are
// more in the direction of reading. In the other direction there are if a cursor was given, because its own item lies there.
func pageOf[T any](ctx context.Context, s *Service, p Page, l list[T]) (*PageOf[T], error) {
	n, backward, err := p.size(s.limits.PageSize)
	if err != nil {
		return nil, err
	}
	after, err := l.cursor("after", p.After)
	if err != nil {
		return nil, err
	}
	before, err := l.cursor("before", p.Before)
	if err != nil {
		return nil, err
	}
	items, err := l.read(ctx, window{limit: n + 1, after: after, before: before, order: l.ordered(l.newest != backward), down: l.newest != backward, where: func(q *sql.Selector) {
		if after != nil {
			q.Where(l.beyond(q, after, l.newest))
		}
		if before != nil {
			q.Where(l.beyond(q, before, !l.newest))
		}
	}})
	if err != nil {
		return nil, err
	}
	more := len(items) > n
	items = items[:min(n, len(items))]
	if backward {
		slices.Reverse(items)
	}
	out := &PageOf[T]{Items: items, HasNext: before != nil || more && !backward, HasPrevious: after != nil || more && backward}
	out.Cursors = make([]string, len(items))
	for i, it := range items {
		out.Cursors[i] = l.format(l.place(it))
	}
	return out, nil
}

func (p Page) size(most int) (n int, backward bool, err error) {
	field := "first"
	switch {
	case p.First != nil && p.Last != nil:
		return 0, false, invalid("last", "first and last exclude each other")
	case p.First != nil:
		n = *p.First
	case p.Last != nil:
		n, backward, field = *p.Last, true, "last"
	default:
		n = min(defaultPage, most)
	}
	if n < 0 {
		return 0, false, invalid(field, "%s must not be negative", field)
	}
	if n > most {
		return 0, false, &Error{Code: Invalid, Field: field, Reason: ReasonPageSize, Text: field + " is larger than a page may be"}
	}
	return n, backward, nil
}

func (l list[T]) ordered(descending bool) func(*sql.Selector) {
	return func(q *sql.Selector) {
		for _, c := range l.columns {
			if descending {
				q.OrderBy(sql.Desc(q.C(c)))
			} else {
				q.OrderBy(sql.Asc(q.C(c)))
			}
		}
	}
}

// beyond is the condition for rows past a place: of lower values when the list runs down.
func (l list[T]) beyond(q *sql.Selector, p *place, down bool) *sql.Predicate {
	if len(l.columns) == 1 {
		if down {
			return sql.LT(q.C(l.columns[0]), p.n)
		}
		return sql.GT(q.C(l.columns[0]), p.n)
	}
	columns := []string{q.C(l.columns[0]), q.C(l.columns[1])}
	if down {
		return sql.CompositeLT(columns, int64(p.at), p.id)
	}
	return sql.CompositeGT(columns, int64(p.at), p.id)
}

// format is written to take one allocation: a page has a cursor for each item.
func (l list[T]) format(p place) string {
	var place [1 + 8 + 16]byte
	b := append(place[:0], l.name)
	if len(l.columns) == 1 {
		b = binary.BigEndian.AppendUint64(b, uint64(p.n))
	} else {
		if l.counted {
			binary.BigEndian.PutUint64(p.id[8:], uint64(p.n))
		}
		b = append(binary.BigEndian.AppendUint64(b, uint64(p.at)), p.id[:]...)
	}
	var text [(len(place)*8 + 5) / 6]byte
	return string(base64.RawURLEncoding.AppendEncode(text[:0], b))
}

func (l list[T]) cursor(field string, text *string) (*place, error) {
	if text == nil {
		return nil, nil
	}
	bad := &Error{Code: Invalid, Field: field, Reason: ReasonBadCursor, Text: field + " is not a cursor of this list"}
	length := 1 + 8
	if len(l.columns) == 2 {
		length += 16
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(*text)
	if err != nil || len(b) != length || b[0] != l.name {
		return nil, bad
	}
	v := int64(binary.BigEndian.Uint64(b[1:9]))
	if len(l.columns) == 1 {
		return &place{n: v}, nil
	}
	p := &place{at: clock.Micros(v), id: uuid.UUID(b[9:])}
	if l.counted {
		p.n = int64(binary.BigEndian.Uint64(p.id[8:]))
	}
	return p, nil
}
