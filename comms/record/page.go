package record

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/block"
	"switchboard/ent/callrecord"
	"switchboard/ent/recordtally"
	"switchboard/internal/clock"
)

// The names of the indexes that a search reads (ent/schema/call_record.go). On SQLite each statement says which one it means: without
// figures of the rows SQLite would take the one with the most columns, and sort a million rows for a page of them. PostgreSQL has such
// figures, and no way to say it.
const (
	byTime     = "record_time"
	byDuration = "record_duration"
	byCalling  = "record_calling"
	byCalled   = "record_called"
	byDialed   = "record_dialed"
)

const (
	// rare is how many records of some durations are few enough to be looked at in the index and sorted.
	rare = 20_000
	// reading is how many times as long it takes to read a record itself.
	reading = 10
)

// search is a Search whose values are those that are stored.
type search struct {
	account           uuid.UUID
	numbers           []string
	not               bool
	direction         Direction
	shortest, longest int
	from, to          comms.Spot // what is found lies between them
	blocks            bool       // the account blocks somebody
	lines             []string   // those that are left where few are; nil: they are not known
}

// directions are the search in each direction that it asks for.
func (f *search) directions() []*search {
	if f.direction != "" {
		return []*search{f}
	}
	in, out := *f, *f
	in.direction, out.direction = Incoming, Outgoing
	return []*search{&in, &out}
}

// prepare makes a search ready to be written as statements.
func (s *Service) prepare(ctx context.Context, account uuid.UUID, q Search, numbers []string) (*search, error) {
	f := &search{account: account, numbers: numbers, not: q.Not && len(numbers) > 0, direction: q.Direction, longest: maxDuration,
		from: comms.Spot{At: minTime}, to: comms.Spot{At: maxTime}}
	if q.MinDuration != nil {
		f.shortest = seconds(*q.MinDuration)
	}
	if q.MaxDuration != nil {
		f.longest = seconds(*q.MaxDuration)
	}
	if q.From != nil {
		f.from = comms.Spot{At: *q.From} // ids begin with 1
	}
	if q.To != nil {
		f.to = comms.Spot{At: *q.To, ID: math.MaxInt64}
	}
	var err error
	f.blocks, err = s.in.Read().Block.Query().Where(block.AccountID(account)).Exist(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for blocks: %w", err)
	}
	return f, nil
}

// within is the search of a part of its list.
func (f search) within(p comms.Span) *search {
	if p.After != nil && before(*p.After, f.to) {
		f.to = *p.After
	}
	if p.Before != nil && before(f.from, *p.Before) {
		f.from = *p.Before
	}
	return &f
}

func before(a, b comms.Spot) bool { return a.At < b.At || a.At == b.At && a.ID < b.ID }

// timed tells whether the search looks at a part of the time only.
func (f *search) timed() bool { return f.from.At != minTime || f.to.At != maxTime }

const (
	minTime     = clock.Micros(math.MinInt64)
	maxTime     = clock.Micros(math.MaxInt64)
	maxDuration = math.MaxInt32 // seconds
)

func seconds(n int) int { return min(max(n, 0), maxDuration) }

// find adds all that the search finds, each record once. few tells that so few have such durations that they are looked through.
func (t *statement) find(columns string, f *search, few bool) {
	switch {
	case few:
		t.arm(columns, byDuration, f, "")
		t.named(f)
		t.visible(f)
	case f.not && f.lines != nil:
		t.lines(columns, f)
	case f.not || len(f.numbers) == 0:
		t.arm(columns, byTime, f, "")
		t.named(f)
		t.visible(f)
	default:
		t.numbers(columns, f)
	}
}

// numbers adds arms for each number, each in the order of time: it calls; it is called, by none of them; it was dialled, though none of them
// calls or is called.
func (t *statement) numbers(columns string, f *search) {
	list := t.list(f.numbers)
	for _, number := range f.numbers {
		n := t.value(number)
		for _, d := range f.directions() {
			t.and(" UNION ALL ")
			t.arm(columns, byCalling, d, " AND calling = "+n)
			t.visible(f)
			t.and(" UNION ALL ")
			t.arm(columns, byCalled, d, " AND called = "+n+" AND calling NOT IN "+list)
			t.visible(f)
		}
		t.and(" UNION ALL ")
		t.arm(columns, byDialed, f, " AND dialed = "+n+" AND dialed <> called AND calling NOT IN "+list+" AND called NOT IN "+list)
		t.visible(f)
	}
}

// lines adds arms for each line that is left where most have one of the numbers on a side: to look through all for the others would take long.
func (t *statement) lines(columns string, f *search) {
	for _, line := range f.lines {
		n := t.value(line)
		for _, d := range f.directions() {
			index, column := byCalled, callrecord.FieldCalled
			if d.direction == Outgoing {
				index, column = byCalling, callrecord.FieldCalling
			}
			t.and(" UNION ALL ")
			t.arm(columns, index, d, " AND "+column+" = "+n)
			t.named(f)
			t.visible(f)
		}
	}
}

// ids are those of the records that the search finds in a part of its list, but for the first so many; newest first, or from the last on.
func (s *Service) ids(ctx context.Context, f *search, p comms.Span, skip int) ([]int64, error) {
	part, err := s.unblocked(ctx, f.within(p))
	if err != nil || part == nil {
		return nil, err
	}
	few, err := s.few(ctx, f)
	if err != nil {
		return nil, err
	}
	if !few && part.not {
		if part.lines, err = s.linesLeft(ctx, part); err != nil {
			return nil, err
		}
		if part.lines != nil && len(part.lines) == 0 {
			return nil, nil
		}
	}
	t := s.statement(f.account)
	t.find("id, started_at", part, few)
	order := " ORDER BY started_at DESC, id DESC"
	if p.Last {
		order = " ORDER BY started_at, id"
	}
	t.add(order + " LIMIT " + t.value(p.Limit) + " OFFSET " + t.value(skip))
	rows, err := s.in.Read().QueryContext(ctx, t.text.String(), t.args...)
	if err != nil {
		return nil, fmt.Errorf("search call records: %w", err)
	}
	defer rows.Close()
	out := make([]int64, 0, min(p.Limit, MostAt))
	for rows.Next() {
		var id, at int64
		if err := rows.Scan(&id, &at); err != nil {
			return nil, fmt.Errorf("search call records: %w", err)
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// unblocked drops what is blocked from the numbers that are searched for: nothing of theirs is found, and there may be much to look through
// for that. nil: none is left.
func (s *Service) unblocked(ctx context.Context, f *search) (*search, error) {
	if !f.blocks || f.not || len(f.numbers) == 0 {
		return f, nil
	}
	blocked, err := s.in.Read().Block.Query().Where(block.AccountID(f.account), block.NumberIn(f.numbers...)).Select(block.FieldNumber).Strings(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for blocks: %w", err)
	}
	g := *f
	if g.numbers = without(f.numbers, blocked); len(g.numbers) == 0 {
		return nil, nil
	}
	return &g, nil
}

const (
	// fewLines is how many lines are few enough to be searched one by one.
	fewLines = 50
	// nextLine is the first line beyond another. To ask for all at once would read the whole tally.
	nextLine = "SELECT COALESCE(MIN(line), '') FROM " + recordtally.Table + " WHERE account_id = $1 AND line > $2"
)

// linesLeft are the lines that a search for none of some numbers leaves, where most records have one of them; nil: most have not, or there are
// many lines.
func (s *Service) linesLeft(ctx context.Context, f *search) ([]string, error) {
	whenever := *f
	whenever.from, whenever.to = comms.Spot{At: minTime}, comms.Spot{At: maxTime}
	all, err := s.tallied(ctx, &whenever)
	if err != nil {
		return nil, err
	}
	named, err := s.any(ctx, &whenever, f.numbers)
	if err != nil || named < all-all/8 {
		return nil, err
	}
	lines := []string{}
	for line, next := allLines, ""; ; line = next {
		t := &statement{args: []any{f.account, line}}
		t.add(nextLine)
		if next, err = s.text(ctx, t); err != nil || next == "" {
			return lines, err
		}
		if number := next[len(lineMark):]; !slices.Contains(f.numbers, number) {
			lines = append(lines, number)
		}
		if len(lines) > fewLines {
			return nil, nil
		}
	}
}
