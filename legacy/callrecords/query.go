package callrecords

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"switchboard/comms/record"
	"switchboard/internal/clock"
)

const (
	usualLimit = 100  // chosen
	mostLimit  = 1000 // chosen: more is taken as this
)

// query is a search and the part of its result that is wanted.
type query struct {
	record.Search
	limit, offset int
}

// readQuery reads the parameters of /records. Those that this API does not have are passed over.
func readQuery(raw string) (*query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badInput("the query can't be read")
	}
	in := parameters{values: values}
	q := &query{limit: usualLimit}
	q.Numbers, q.Not = in.numbers(), in.flag("not")
	q.MinDuration, q.MaxDuration = in.count("durationmin"), in.count("durationmax")
	switch direction := in.one("direction"); {
	case direction == "IN":
		q.Direction = record.Incoming
	case direction == "OUT":
		q.Direction = record.Outgoing
	case in.values.Has("direction"):
		in.fault("direction", "must be IN or OUT")
	}
	q.From, q.To = in.instant("from", false), in.instant("to", true)
	if limit := in.count("limit"); limit != nil {
		q.limit = min(*limit, mostLimit)
	}
	if offset := in.count("offset"); offset != nil {
		q.offset = *offset
	}
	return q, in.err
}

// parameters are read by name. The first that is wrong is kept in err.
type parameters struct {
	values url.Values
	err    error
}

func (p *parameters) fault(name, what string) {
	if p.err == nil {
		p.err = badInput(fmt.Sprintf("%s %s", name, what))
	}
}

// one is a parameter that may stand once; only number may be repeated.
func (p *parameters) one(name string) string {
	all := p.values[name]
	if len(all) > 1 {
		p.fault(name, "stands twice")
	}
	return p.values.Get(name)
}

// numbers are telephone numbers in any writing, short ones too. A + that was not escaped has arrived as a blank, which is how 0033... and
// +33... without it are read alike; what has letters is none.
func (p *parameters) numbers() []string {
	for _, n := range p.values["number"] {
		if strings.Trim(n, "0123456789+-.() ") != "" || !strings.ContainsAny(n, "0123456789") {
			p.fault("number", "must be a telephone number: 0033123456789 or +33123456789")
		}
	}
	return p.values["number"]
}

func (p *parameters) flag(name string) bool {
	text := p.one(name)
	if text != "0" && text != "1" && p.values.Has(name) {
		p.fault(name, "must be 0 or 1")
	}
	return text == "1"
}

// count is a whole number of seconds or records; nil where there is none. One that is beyond all bounds is the largest.
func (p *parameters) count(name string) *int {
	if !p.values.Has(name) {
		return nil
	}
	text := p.one(name)
	if text == "" || strings.Trim(text, "0123456789") != "" {
		p.fault(name, "must be a number")
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		n = math.MaxInt32
	}
	n = min(n, math.MaxInt32)
	return &n
}

// layouts are the forms of ISO 8601 that are read. Without a zone it is UTC; a fraction of a second may stand in all that have seconds.
var layouts = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04", "20060102T150405Z0700", "20060102T150405"}

// instant is a time; nil where there is none. Both ends of a search are included, as far as they were written: a day to its last moment, a
// millisecond, the finest that this API shows, likewise.
func (p *parameters) instant(name string, end bool) *clock.Micros {
	if !p.values.Has(name) {
		return nil
	}
	text := p.one(name)
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		if end {
			day = day.AddDate(0, 0, 1).Add(-time.Microsecond)
		}
		at := clock.From(day)
		return &at
	}
	text = strings.ReplaceAll(text, " ", "+") // a + of the zone that was not escaped
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			if end && t.Equal(t.Truncate(time.Millisecond)) {
				t = t.Add(time.Millisecond - time.Microsecond)
			}
			at := clock.From(t)
			return &at
		}
	}
	p.fault(name, "must be a time in ISO 8601: 2021-06-29T21:46:32Z")
	return nil
}
