package record

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/block"
	"switchboard/ent/call"
	"switchboard/ent/callrecord"
	"switchboard/ent/recordtally"
)

// To count takes a database a tenth of a microsecond for each record, so what is counted is what is few. A tally says how many records there
// are of each direction and duration; where numbers are named or blocked, those that have one of them on a side are counted, or taken off:
//
//	none named       all - any(blocked)
//	any of them      any(named or blocked) - any(blocked)
//	none of them     all - any(named or blocked)

// total is how many records the search finds.
func (s *Service) total(ctx context.Context, f *search) (int, error) {
	few, err := s.few(ctx, f)
	if err != nil {
		return 0, err
	}
	if few {
		t := s.statement(f.account)
		t.find("COUNT(*)", f, true)
		return s.number(ctx, t)
	}
	all, hidden, named := 0, 0, 0
	if len(f.numbers) == 0 || f.not {
		if all, err = s.all(ctx, f); err != nil {
			return 0, err
		}
	}
	if f.blocks && !f.not {
		if hidden, err = s.any(ctx, f, nil); err != nil {
			return 0, err
		}
	}
	if len(f.numbers) > 0 {
		if named, err = s.any(ctx, f, f.numbers); err != nil {
			return 0, err
		}
	}
	switch {
	case len(f.numbers) == 0:
		return all - hidden, nil
	case f.not:
		return all - named, nil
	default:
		return named - hidden, nil
	}
}

// few tells whether the search asks for durations of so few records that all of them are looked at and sorted. Who is on a call does not stand
// in the index of durations: where that matters each record must be read, and there must be fewer.
func (s *Service) few(ctx context.Context, f *search) (bool, error) {
	if len(f.numbers) > 0 || f.blocks {
		return s.fewLast(ctx, f, reading)
	}
	return s.fewLast(ctx, f, 1)
}

// fewLast tells whether few records have the durations of the search, where to look at one costs so many times what it costs in the index.
func (s *Service) fewLast(ctx context.Context, f *search, cost int) (bool, error) {
	if f.shortest == 0 && f.longest == maxDuration {
		return false, nil
	}
	n, err := s.tallied(ctx, f)
	return n*cost <= s.rare, err
}

// all is how many records there are, whoever is on them.
func (s *Service) all(ctx context.Context, f *search) (int, error) {
	if !f.timed() {
		return s.tallied(ctx, f)
	}
	few, err := s.fewLast(ctx, f, 1)
	if err != nil {
		return 0, err
	}
	index := byTime
	if few {
		index = byDuration
	}
	t := s.statement(f.account)
	t.arm("COUNT(*)", index, f, "")
	return s.number(ctx, t)
}

// tallied is the same at any time.
func (s *Service) tallied(ctx context.Context, f *search) (int, error) {
	t := s.statement(f.account)
	t.tallied(f, " = "+t.value(allLines))
	return s.number(ctx, t)
}

// tallied adds the number of records of lines.
func (t *statement) tallied(f *search, lines string) {
	t.add("SELECT COALESCE(SUM(n), 0) FROM " + recordtally.Table + " WHERE account_id = " + t.account + " AND line" + lines + " AND direction IN ")
	directions := []string{string(Incoming), string(Outgoing)}
	if f.direction != "" {
		directions = []string{string(f.direction)}
	}
	t.add(t.list(directions) + " AND duration >= " + t.value(f.shortest) + " AND duration <= " + t.value(f.longest))
}

// any is how many records have one of the numbers, or one that is blocked, on a side. Those on whose line it is are in the tally; the others
// are counted: one calls and the line is none of them; one is called, likewise; one was dialled, though none of them calls or is called.
func (s *Service) any(ctx context.Context, f *search, numbers []string) (int, error) {
	t := s.statement(f.account)
	list := t.list(numbers)
	among := func(mark string) string {
		if !f.blocks {
			return " IN " + list
		}
		text := "(SELECT " + mark + "number FROM " + block.Table + " WHERE account_id = " + t.account
		for i := range numbers {
			text += " UNION ALL SELECT " + mark + "CAST(" + t.place(i+2) + " AS TEXT)" // behind the account
		}
		return " IN " + text + ")"
	}
	them := among("")
	t.add("SELECT (")
	switch {
	case f.timed():
		for i, d := range f.directions() {
			index, line := byCalled, "called"
			if d.direction == Outgoing {
				index, line = byCalling, "calling"
			}
			t.add([]string{"", ") + ("}[i])
			t.arm("COUNT(*)", index, d, " AND "+line+them)
		}
	case f.blocks:
		t.tallied(f, among("'"+lineMark+"' || "))
	default:
		marked := make([]string, len(numbers))
		for i, n := range numbers {
			marked[i] = lineMark + n
		}
		t.tallied(f, " IN "+t.list(marked))
	}
	for _, d := range f.directions() {
		index, side, line := byCalling, "calling", "called"
		if d.direction == Outgoing {
			index, side, line = byCalled, "called", "calling"
		}
		t.add(") + (")
		t.arm("COUNT(*)", index, d, " AND "+side+them+" AND NOT "+line+them)
	}
	t.add(") + (")
	t.arm("COUNT(*)", byDialed, f, " AND dialed <> called AND dialed"+them+" AND NOT calling"+them+" AND NOT called"+them)
	t.add(")")
	return s.number(ctx, t)
}

const (
	allLines = ""  // the line of a tally that counts them all
	lineMark = "=" // stands before a line: one may be withheld, and empty
)

// kind is what the tally tells apart.
type kind struct {
	account   uuid.UUID
	line      string
	direction Direction
	duration  int
}

// changes are records that are added (or, below zero, removed) by their kinds.
type changes map[kind]int

func (c changes) note(account uuid.UUID, direction Direction, calling, called string, duration, n int) {
	line := called
	if direction == Outgoing {
		line = calling
	}
	for _, line := range []string{allLines, lineMark + line} {
		c[kind{account, line, direction, duration}] += n
	}
}

// tally notes, in the change that adds or removes records, how many of each kind.
func (s *Service) tally(ctx context.Context, c *comms.Change, changed changes) error {
	kinds := slices.SortedFunc(maps.Keys(changed), func(a, b kind) int { // always in one order, so that no two changes wait for each other
		return cmp.Or(bytes.Compare(a.account[:], b.account[:]), cmp.Compare(a.line, b.line), cmp.Compare(a.direction, b.direction), cmp.Compare(a.duration, b.duration))
	})
	for chunk := range slices.Chunk(kinds, comms.RowsAtOnce) {
		t := s.bare()
		t.add("INSERT INTO " + recordtally.Table + " (account_id, line, direction, duration, n) VALUES ")
		for i, k := range chunk {
			t.add([]string{"(", ", ("}[min(i, 1)])
			for i, v := range []any{k.account, k.line, string(k.direction), k.duration, changed[k]} {
				t.add([]string{"", ", "}[min(i, 1)] + t.value(v))
			}
			t.add(")")
		}
		t.add(" ON CONFLICT (account_id, line, direction, duration) DO UPDATE SET n = " + recordtally.Table + ".n + excluded.n")
		if _, err := c.Tx().ExecContext(ctx, t.text.String(), t.args...); err != nil {
			return fmt.Errorf("tally call records: %w", err)
		}
	}
	return nil
}

// goingWith counts the records that go with a number.
const goingWith = "SELECT direction, calling, called, duration, COUNT(*) FROM " + callrecord.Table + " WHERE call_id IN (SELECT id FROM " + call.Table +
	" WHERE number_id = $1) GROUP BY direction, calling, called, duration"

// forgetRecords takes the records that go with a number off the tally, in the change that deletes it.
func (s *Service) forgetRecords(ctx context.Context, c *comms.Change, n *comms.Number) (after func(context.Context), err error) {
	rows, err := c.Tx().QueryContext(ctx, goingWith, n.ID)
	if err != nil {
		return nil, fmt.Errorf("count the records of a number: %w", err)
	}
	gone := changes{}
	err = func() error {
		defer rows.Close()
		for rows.Next() {
			var direction Direction
			var calling, called string
			var duration, many int
			if err := rows.Scan(&direction, &calling, &called, &duration, &many); err != nil {
				return err
			}
			gone.note(n.AccountID, direction, calling, called, duration, -many)
		}
		return rows.Err()
	}()
	if err != nil {
		return nil, fmt.Errorf("count the records of a number: %w", err)
	}
	return nil, s.tally(ctx, c, gone)
}

// without are those of the words that are not among others.
func without(words, others []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return slices.Contains(others, w) })
}
