package record

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"switchboard/ent/block"
	"switchboard/ent/callrecord"
)

// statement is SQL with its arguments. A value is given once and can stand in many places.
type statement struct {
	text    strings.Builder
	args    []any
	sqlite  bool
	account string // the place of the account's id
}

func (s *Service) statement(account uuid.UUID) *statement {
	t := s.bare()
	t.account = t.value(account)
	return t
}

// bare is one that is not about one account's records.
func (s *Service) bare() *statement { return &statement{sqlite: s.in.Dialect() == "sqlite3"} }

func (t *statement) add(text string) { t.text.WriteString(text) }

// and adds what stands between parts, unless this is the first.
func (t *statement) and(text string) {
	if t.text.Len() > 0 {
		t.add(text)
	}
}

// value gives a value its place, which it keeps.
func (t *statement) value(v any) string {
	t.args = append(t.args, v)
	return t.place(len(t.args))
}

// place is the nth value. SQLite would count what it does not know as a number in the order of the text.
func (t *statement) place(n int) string {
	if t.sqlite {
		return "?" + strconv.Itoa(n)
	}
	return "$" + strconv.Itoa(n)
}

// list is values in brackets.
func (t *statement) list(values []string) string {
	places := make([]string, len(values))
	for i, v := range values {
		places[i] = t.value(v)
	}
	return "(" + strings.Join(places, ", ") + ")"
}

// arm adds a part: the account's records in an index, within the bounds of the search.
func (t *statement) arm(columns, index string, f *search, where string) {
	t.add("SELECT " + columns + " FROM " + callrecord.Table)
	if t.sqlite {
		t.add(" INDEXED BY " + index)
	}
	t.add(" WHERE account_id = " + t.account + where)
	if f.from.At != minTime {
		t.add(" AND (started_at, id) > (" + t.value(int64(f.from.At)) + ", " + t.value(f.from.ID) + ")")
	}
	if f.to.At != maxTime {
		t.add(" AND (started_at, id) < (" + t.value(int64(f.to.At)) + ", " + t.value(f.to.ID) + ")")
	}
	if f.direction != "" {
		t.add(" AND direction = " + t.value(string(f.direction)))
	} else if index == byDuration {
		t.add(" AND direction IN " + t.list([]string{string(Incoming), string(Outgoing)}))
	}
	if f.shortest > 0 || index == byDuration {
		t.add(" AND duration >= " + t.value(f.shortest))
	}
	if f.longest < maxDuration {
		t.add(" AND duration <= " + t.value(f.longest))
	}
}

// sides are the columns that hold a side of a call.
var sides = [...]string{callrecord.FieldCalling, callrecord.FieldCalled, callrecord.FieldDialed}

// visible leaves out what the account blocks.
func (t *statement) visible(f *search) {
	for _, side := range sides {
		if f.blocks {
			t.add(" AND " + side + " NOT IN (SELECT number FROM " + block.Table + " WHERE account_id = " + t.account + ")")
		}
	}
}

// named adds what the search says of numbers, for an arm that is not one number's.
func (t *statement) named(f *search) {
	if len(f.numbers) == 0 {
		return
	}
	list := t.list(f.numbers)
	parts := make([]string, len(sides))
	for i, side := range sides {
		parts[i] = side + " IN " + list
	}
	is := ""
	if f.not {
		is = "NOT "
	}
	t.add(" AND " + is + "(" + strings.Join(parts, " OR ") + ")")
}

// one reads the answer of a statement that has one.
func (s *Service) one(ctx context.Context, t *statement, to any) error {
	rows, err := s.in.Read().QueryContext(ctx, t.text.String(), t.args...)
	if err != nil {
		return fmt.Errorf("count call records: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(to); err != nil {
			return fmt.Errorf("count call records: %w", err)
		}
	}
	return rows.Err()
}

func (s *Service) number(ctx context.Context, t *statement) (n int, err error) {
	return n, s.one(ctx, t, &n)
}

func (s *Service) text(ctx context.Context, t *statement) (text string, err error) {
	return text, s.one(ctx, t, &text)
}
