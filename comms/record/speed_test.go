package record

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/clock"
	"switchboard/internal/house"
)

// million is how many records the account of BenchmarkSearch has. All of them carry the account's own number.
const million = 1_000_000

var day = clock.From(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))

// fill imports n records a minute apart, of 50,000 people.
func (o *office) fill(n int) {
	o.Helper()
	dice := rand.New(rand.NewPCG(1, 2))
	for from := 0; from < n; from += 5000 {
		records := make([]NewRecord, min(5000, n-from))
		for i := range records {
			records[i] = NewRecord{ForeignID: fmt.Sprint(from + i), Calling: desk, Called: fmt.Sprintf("+336%08d", dice.IntN(50000)), Direction: Outgoing,
				StartedAt: day.Add(time.Duration(from+i) * time.Minute), Duration: int(dice.ExpFloat64() * 120), Hangup: "normal"}
			if r := &records[i]; dice.IntN(10) < 6 {
				r.Calling, r.Called, r.Direction = r.Called, r.Calling, Incoming
			}
			records[i].Dialed = records[i].Called
		}
		if o.add(o.aliceID, records...) != len(records) {
			o.Fatal("some were there already")
		}
	}
}

// filters are the documented ones, and some that are worse.
func filters() map[string]Search {
	at := func(years int) *clock.Micros { return new(day.Add(time.Duration(years) * 365 * 24 * time.Hour)) }
	return map[string]Search{
		"none":                      {},
		"number":                    {Numbers: []string{"0033600000001"}},
		"number on every record":    {Numbers: []string{desk}},
		"number that has no record": {Numbers: []string{"+4930123456"}},
		"three numbers":             {Numbers: []string{"0033600000001", "0033600000002", "+33600000003"}},
		"not":                       {Numbers: []string{"0033600000001"}, Not: true},
		"not what is on every":      {Numbers: []string{desk}, Not: true},
		"durationmin":               {MinDuration: new(600)},
		"durationmin of most":       {MinDuration: new(10)},
		"durationmin of none":       {MinDuration: new(100_000)},
		"direction":                 {Direction: Incoming},
		"durationmin and direction": {MinDuration: new(600), Direction: Incoming},
		"a year":                    {From: at(1), To: at(2)},
		"everything at once":        {Numbers: []string{desk, "0033600000001"}, Not: false, MinDuration: new(10), MaxDuration: new(500), Direction: Outgoing, From: at(0), To: at(2)},
	}
}

// BenchmarkSearch prints what a page of 100 and its total take of an account with a million records.
func BenchmarkSearch(b *testing.B) {
	o := newOffice(b, house.SQLite(b))
	begin := time.Now()
	o.fill(million)
	b.Logf("%d records were imported in %v", million, time.Since(begin))
	for _, blocks := range []string{"", " with blocks"} {
		for name, q := range filters() {
			b.Run("page, "+name+blocks, func(b *testing.B) {
				before := cpuTime()
				for b.Loop() {
					if _, err := o.records.Records(o.alice, q, comms.Page{First: new(100)}); err != nil {
						b.Fatal(err)
					}
				}
				work(b, before)
			})
			b.Run("total, "+name+blocks, func(b *testing.B) {
				before := cpuTime()
				for b.Loop() {
					if _, err := o.records.CountRecords(o.alice, q); err != nil {
						b.Fatal(err)
					}
				}
				work(b, before)
			})
		}
		b.Run("offset 900000"+blocks, func(b *testing.B) {
			for b.Loop() {
				if rows, err := o.records.RecordsAt(o.alice, Search{}, 100, 900_000); err != nil || len(rows) != 100 {
					b.Fatal(len(rows), err)
				}
			}
		})
		o.block("+33600000001", "+33600000004", "+4930123456")
	}
}

// work reports what the processors did for it: on a machine that others use too, the time on the wall says little.
func work(b *testing.B, before time.Duration) {
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/1e3/float64(b.N), "ms-cpu/op")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
