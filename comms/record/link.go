package record

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// linkEnd is when a link that is made now expires: rounded up to a whole minute, so that a page that is loaded twice has the same links.
func (s *Service) linkEnd() clock.Micros {
	minute := int64(time.Minute / time.Second)
	return clock.Micros((clock.Now().Add(s.linkTTL).Unix() + minute - 1) / minute * minute * 1e6)
}

func (s *Service) signature(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString(s.in.Sign(append([]string{"record"}, parts...)...))
}

// verify refuses a link whose signature is not of these parts, or that has expired.
func (s *Service) verify(query url.Values, parts ...string) error {
	if subtle.ConstantTimeCompare([]byte(s.signature(parts...)), []byte(query.Get("signature"))) != 1 {
		return comms.Refused(comms.NotFound, "signature", comms.ReasonNone, "there is no such link")
	}
	end, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	if err != nil || clock.Now().Unix() >= end {
		return comms.Refused(comms.NotFound, "expires", comms.ReasonLinkExpired, "the link has expired")
	}
	return nil
}

// CSVLink is a path under which anybody can fetch all that the search finds for the caller, as CSV, until it expires.
func (s *Service) CSVLink(ctx context.Context, q Search) (path string, expires clock.Micros, err error) {
	f, err := s.permitted(ctx, &q)
	if err != nil {
		return "", 0, err
	}
	expires = s.linkEnd()
	query := q.Query()
	query.Set("account", f.account.String())
	query.Set("expires", strconv.FormatInt(expires.Unix(), 10))
	query.Set("signature", s.signature("csv", query.Encode()))
	return "/records.csv?" + query.Encode(), expires, nil
}

// OpenCSVLink is the search that a link of CSVLink names, and a context of whoever may ask it.
func (s *Service) OpenCSVLink(ctx context.Context, query url.Values) (context.Context, Search, error) {
	signed := url.Values{}
	for name, values := range query {
		if name != "signature" {
			signed[name] = values
		}
	}
	if err := s.verify(query, "csv", signed.Encode()); err != nil {
		return nil, Search{}, err
	}
	account, err := uuid.Parse(query.Get("account"))
	if err != nil {
		return nil, Search{}, comms.Refused(comms.NotFound, "account", comms.ReasonNone, "there is no such link")
	}
	q, err := SearchOf(signed)
	if err != nil {
		return nil, Search{}, err
	}
	return comms.WithActor(ctx, &comms.Actor{AccountID: account, Scopes: comms.ReadRecords}), q, nil
}

// Query is the search as it stands in an address: number (again and again), not=1, direction=IN or OUT, durationmin, durationmax (seconds),
// from and to (ISO 8601).
func (q Search) Query() url.Values {
	v := url.Values{}
	for _, n := range q.Numbers {
		v.Add("number", n)
	}
	if q.Not {
		v.Set("not", "1")
	}
	switch q.Direction {
	case Incoming:
		v.Set("direction", "IN")
	case Outgoing:
		v.Set("direction", "OUT")
	}
	for name, n := range map[string]*int{"durationmin": q.MinDuration, "durationmax": q.MaxDuration} {
		if n != nil {
			v.Set(name, strconv.Itoa(*n))
		}
	}
	for name, at := range map[string]*clock.Micros{"from": q.From, "to": q.To} {
		if at != nil {
			v.Set(name, at.Time().Format("2006-01-02T15:04:05.000000Z07:00"))
		}
	}
	return v
}

// SearchOf reads what Query writes. Names that mean nothing here are no matter: whoever has them knows what they mean.
func SearchOf(v url.Values) (q Search, err error) {
	q = Search{Numbers: v["number"]}
	switch not := v.Get("not"); not {
	case "", "0", "false":
	case "1", "true":
		q.Not = true
	default:
		return q, refused("not", "not is 1 or 0")
	}
	switch d := v.Get("direction"); strings.ToUpper(d) {
	case "":
	case "IN":
		q.Direction = Incoming
	case "OUT":
		q.Direction = Outgoing
	default:
		return q, refused("direction", "direction is IN or OUT")
	}
	if q.MinDuration, err = wholeNumber(v, "durationmin"); err != nil {
		return q, err
	}
	if q.MaxDuration, err = wholeNumber(v, "durationmax"); err != nil {
		return q, err
	}
	if q.From, err = instant(v, "from"); err != nil {
		return q, err
	}
	if q.To, err = instant(v, "to"); err != nil {
		return q, err
	}
	return q, nil
}

func wholeNumber(v url.Values, name string) (*int, error) {
	text := v.Get(name)
	if text == "" && !v.Has(name) {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return nil, refused(name, name+" is a whole number of seconds")
	}
	return &n, nil
}

// The forms of ISO 8601 that are read. Without a zone it is UTC; a fraction of a second may stand in all that have seconds.
var forms = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04", "20060102T150405Z0700", "20060102T150405", time.DateOnly}

// instant reads a time. The end of a span is included as far as it was written: a day to its last moment, and so is a millisecond, the finest
// that a list shows.
func instant(v url.Values, name string) (*clock.Micros, error) {
	text := v.Get(name)
	if text == "" && !v.Has(name) {
		return nil, nil
	}
	text = strings.Replace(text, " ", "+", 1) // a + that nobody escaped
	for _, form := range forms {
		t, err := time.Parse(form, text)
		if err != nil || t.Year() < 1 || t.Year() > 9999 {
			continue
		}
		at := clock.From(t)
		switch _, fraction, _ := strings.Cut(text, "."); {
		case name != "to":
		case form == time.DateOnly:
			at = clock.From(t.AddDate(0, 0, 1)) - 1
		case digits(fraction) <= 3:
			at = clock.From(t.Truncate(time.Millisecond).Add(time.Millisecond)) - 1
		}
		return &at, nil
	}
	return nil, refused(name, name+" is a time in ISO 8601")
}

// digits is how many a text begins with.
func digits(text string) int { return len(text) - len(strings.TrimLeft(text, "0123456789")) }
