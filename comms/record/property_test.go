package record

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// people are few, so that searches hit; two of them are no telephone numbers.
var people = []string{desk, "+33600000001", "+33600000002", "+33600000003", "+4930123456", "anonymous", "3008", "+12025550100"}

// written is a number as somebody might write it.
func written(dice *rand.Rand, number string) string {
	if number[0] == '+' && dice.IntN(2) == 0 {
		return "00" + number[1:]
	}
	return number
}

// stored is what the test knows of a record.
type stored struct {
	foreign                 string
	calling, called, dialed string
	direction               Direction
	at                      clock.Micros
	duration                int
}

// some draws records. Times repeat, so that the order needs the ids, and go back, as imports do.
func some(dice *rand.Rand, n int, prefix string) (list []stored, add []NewRecord) {
	for i := range n {
		r := stored{foreign: fmt.Sprint(prefix, i), calling: people[dice.IntN(len(people))], called: people[dice.IntN(len(people))],
			direction: []Direction{Incoming, Outgoing}[dice.IntN(2)], at: day.Add(time.Duration(dice.IntN(60)) * time.Minute), duration: dice.IntN(6)}
		if r.dialed = r.called; dice.IntN(8) == 0 {
			r.dialed = people[dice.IntN(len(people))]
		}
		list = append(list, r)
		add = append(add, NewRecord{ForeignID: r.foreign, Calling: written(dice, r.calling), Called: written(dice, r.called),
			Dialed: written(dice, r.dialed), Direction: r.direction, StartedAt: r.at, Duration: r.duration})
	}
	return list, add
}

// anything draws a search, and the same as a function of a record.
func anything(dice *rand.Rand, blocked []string) (q Search, finds func(stored) bool) {
	maybe := func() bool { return dice.IntN(3) == 0 }
	var numbers []string
	if dice.IntN(9) < 5 {
		for range 1 + dice.IntN(3) {
			n := people[dice.IntN(len(people))]
			numbers, q.Numbers = append(numbers, n), append(q.Numbers, written(dice, n))
		}
	}
	q.Not = maybe()
	if maybe() {
		q.Direction = []Direction{Incoming, Outgoing}[dice.IntN(2)]
	}
	if maybe() {
		q.MinDuration = new(dice.IntN(7))
	}
	if maybe() {
		q.MaxDuration = new(dice.IntN(7))
	}
	if maybe() {
		q.From = new(day.Add(time.Duration(dice.IntN(62)) * time.Minute))
	}
	if maybe() {
		q.To = new(day.Add(time.Duration(dice.IntN(62)) * time.Minute))
	}
	return q, func(r stored) bool {
		on := func(list []string) bool {
			return slices.Contains(list, r.calling) || slices.Contains(list, r.called) || slices.Contains(list, r.dialed)
		}
		return !on(blocked) &&
			(len(numbers) == 0 || on(numbers) != q.Not) &&
			(q.Direction == "" || r.direction == q.Direction) &&
			(q.MinDuration == nil || r.duration >= *q.MinDuration) && (q.MaxDuration == nil || r.duration <= *q.MaxDuration) &&
			(q.From == nil || r.at >= *q.From) && (q.To == nil || r.at <= *q.To)
	}
}

// Whatever is asked, pages from both ends, offsets, totals and the whole agree with the plainest filter that there is.
func TestEverySearchFindsWhatItSays(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		dice := rand.New(rand.NewPCG(3, 4))
		var all []stored
		var blocked []string
		for round := range 7 {
			list, add := some(dice, 90, fmt.Sprint("r", round, "-"))
			all = append(all, list...)
			if n := o.add(o.aliceID, add...); n != len(add) {
				o.Fatalf("%d of %d were new", n, len(add))
			}
			_, others := some(dice, 20, "r") // are nobody's business here
			o.add(o.robins, others...)
			if round >= 2 && people[round-1][0] == '+' {
				blocked = append(blocked, people[round-1])
				o.block(people[round-1])
			}
			for range 40 {
				q, finds := anything(dice, blocked)
				want := namesOf(all, finds)
				many := o.process() // to which no duration is rare
				many.rare = -1
				for _, s := range []*Service{o.records, many} {
					o.agree(s, q, want, dice)
				}
			}
		}
	})
}

// namesOf are the names of what a filter finds, newest first: of one time those that came later.
func namesOf(all []stored, finds func(stored) bool) (names []string) {
	byAge := make([]int, len(all))
	for i := range all {
		byAge[i] = i
	}
	slices.SortFunc(byAge, func(a, b int) int { return cmp.Or(cmp.Compare(all[b].at, all[a].at), cmp.Compare(b, a)) })
	for _, i := range byAge {
		if finds(all[i]) {
			names = append(names, all[i].foreign)
		}
	}
	return names
}

func foreignIDs(rows []*Row) (names []string) {
	for _, r := range rows {
		names = append(names, *r.ForeignID)
	}
	return names
}

// agree compares every way to ask.
func (o *office) agree(s *Service, q Search, want []string, dice *rand.Rand) {
	o.Helper()
	if n, err := s.CountRecords(o.alice, q); err != nil || n != len(want) {
		o.Fatalf("%+v: %d records, want %d (%v)", q, n, len(want), err)
	}
	var each []string
	if err := s.EachRecord(o.alice, q, func(rows []*Row) error { each = append(each, foreignIDs(rows)...); return nil }); err != nil || !slices.Equal(each, want) {
		o.Fatalf("%+v: all are %v, want %v (%v)", q, each, want, err)
	}
	offset, limit := dice.IntN(len(want)+3), dice.IntN(20)
	rows, err := s.RecordsAt(o.alice, q, limit, offset)
	if part := want[min(offset, len(want)):min(offset+limit, len(want))]; err != nil || !slices.Equal(foreignIDs(rows), part) {
		o.Fatalf("%+v: %d behind %d are %v, want %v (%v)", q, limit, offset, foreignIDs(rows), part, err)
	}
	size := 1 + dice.IntN(len(want)+10)
	var forward, backward []string
	for p := (comms.Page{First: &size}); ; {
		page, err := s.Records(o.alice, q, p)
		if err != nil {
			o.Fatal(err)
		}
		if forward = append(forward, foreignIDs(page.Items)...); !page.HasNext {
			break
		}
		p.After = &page.Cursors[len(page.Cursors)-1]
	}
	for p := (comms.Page{Last: &size}); ; {
		page, err := s.Records(o.alice, q, p)
		if err != nil {
			o.Fatal(err)
		}
		if backward = append(foreignIDs(page.Items), backward...); !page.HasPrevious {
			break
		}
		p.Before = &page.Cursors[0]
	}
	if !slices.Equal(forward, want) || !slices.Equal(backward, want) {
		o.Fatalf("%+v: pages of %d are %v and %v, want %v", q, size, forward, backward, want)
	}
}

// Who turns pages while records come, newer and older ones, sees all that were there, once each.
func TestPagesHoldStill(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		dice := rand.New(rand.NewPCG(5, 6))
		list, add := some(dice, 100, "there-")
		o.add(o.aliceID, add...)
		seen := map[string]int{}
		p := comms.Page{First: new(7)}
		for round := 0; ; round++ {
			page, err := o.records.Records(o.alice, Search{}, p)
			if err != nil {
				o.Fatal(err)
			}
			for _, name := range foreignIDs(page.Items) {
				seen[name]++
			}
			if !page.HasNext {
				break
			}
			p.After = &page.Cursors[len(page.Cursors)-1]
			_, more := some(dice, 3, fmt.Sprint("later-", round, "-"))
			o.add(o.aliceID, more...)
		}
		for _, r := range list {
			if seen[r.foreign] != 1 {
				o.Errorf("%s was shown %d times", r.foreign, seen[r.foreign])
			}
		}
		for name, n := range seen {
			if n > 1 {
				o.Errorf("%s was shown %d times", name, n)
			}
		}
	})
}

func newDice() *rand.Rand { return rand.New(rand.NewPCG(7, 8)) }
