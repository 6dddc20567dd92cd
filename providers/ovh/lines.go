package ovh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"switchboard/comms/carrier"
	"switchboard/internal/clock"
)

const mostNames = 20_000 // of one list; a larger one is no list of billing accounts or lines

// names reads a list of names.
func (s *session) names(ctx context.Context, path string) ([]string, error) {
	var out []string
	if err := s.get(ctx, path, mostOfNames, &out); err != nil {
		return nil, err
	}
	if len(out) > mostNames || slices.ContainsFunc(out, func(name string) bool { return !isName(name) }) {
		return nil, nonsense("names that can't be meant")
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// isName tells whether what names an account or a line can be one. The sign for what is no character would be lost where it is stored.
func isName(name string) bool {
	return name != "" && len(name) <= 100 && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl) &&
		!strings.ContainsRune(name, utf8.RuneError)
}

// Lines implements carrier.Lines: the services of all billing accounts, and the queues that may record. What of one billing account can't be
// read is a line that says so, so that the others are not lost with it.
func (s *session) Lines(ctx context.Context) ([]carrier.Line, error) {
	accounts, err := s.names(ctx, "/telephony")
	if err != nil {
		return nil, err
	}
	var out []carrier.Line
	for _, account := range accounts {
		at := "/telephony/" + url.PathEscape(account)
		names, err := s.names(ctx, at+"/service")
		if ends(err) {
			return nil, err
		}
		if err != nil {
			out = append(out, carrier.Line{Name: account, Calls: unread{err}})
		}
		for _, name := range names {
			out = append(out, carrier.Line{Name: name, Calls: &line{s: s, name: name, path: at + "/service/" + url.PathEscape(name) + "/voiceConsumption"}})
		}
		for _, kind := range queues {
			names, err := s.names(ctx, at+"/"+kind)
			if ends(err) {
				return nil, err
			}
			if err != nil && !notForUs(err) {
				out = append(out, carrier.Line{Name: account, Sounds: unread{err}})
			}
			for _, name := range names {
				out = append(out, carrier.Line{Name: name, Sounds: &queue{s: s, name: name, path: at + "/" + kind + "/" + url.PathEscape(name) + "/records"}})
			}
		}
	}
	return out, nil
}

// ends tells of trouble that is the whole customer's.
func ends(err error) bool {
	var t *carrier.Trouble
	if !errors.As(err, &t) {
		return err != nil
	}
	return t.Problem == carrier.ProblemPending || t.Problem == carrier.ProblemWithdrawn || t.Problem == carrier.ProblemLimited
}

// unread is what could not be read.
type unread struct{ err error }

func (u unread) Since(context.Context, clock.Micros) ([]string, error) { return nil, u.err }
func (u unread) Call(context.Context, string) (*carrier.Call, error)   { return nil, u.err }
func (u unread) Sounds(context.Context) ([]string, error)              { return nil, u.err }
func (u unread) Sound(context.Context, string) (*carrier.Sound, error) { return nil, u.err }

// line is a service with its calls: .../service/{serviceName}/voiceConsumption.
type line struct {
	s          *session
	name, path string
}

// Since implements carrier.Calls.
func (l *line) Since(ctx context.Context, from clock.Micros) ([]string, error) {
	query := url.Values{"creationDatetime.from": {from.Time().Truncate(time.Second).Format(time.RFC3339)}}
	return l.s.ids(ctx, l.path+"?"+query.Encode())
}

// ids reads a list of numeric ids. What is none among them is left out: nothing could be asked by it.
func (s *session) ids(ctx context.Context, path string) ([]string, error) {
	var list []json.RawMessage
	if err := s.get(ctx, path, mostOfIDs, &list); err != nil {
		return nil, err
	}
	out := make([]string, 0, len(list))
	for _, raw := range list {
		if id := strings.Trim(string(raw), `"`); isID(id) {
			out = append(out, id)
		}
	}
	if len(out) == 0 && len(list) > 0 {
		return nil, nonsense("a list of ids without any")
	}
	return out, nil
}

func isID(id string) bool {
	return id != "" && len(id) <= 20 && !strings.ContainsFunc(id, func(r rune) bool { return r < '0' || r > '9' })
}

// consumption is telephony.VoiceConsumption, as far as it is read.
type consumption struct {
	ID       json.Number  `json:"consumptionId"`
	Calling  string       `json:"calling"`
	Called   string       `json:"called"`
	Dialed   string       `json:"dialed"`
	At       string       `json:"creationDatetime"`
	Duration *json.Number `json:"duration"`
	Hangup   string       `json:"hangupNature"`
	Way      string       `json:"wayType"`
}

// Call implements carrier.Calls.
func (l *line) Call(ctx context.Context, id string) (*carrier.Call, error) {
	var got consumption
	if err := l.s.get(ctx, l.path+"/"+id, mostOfOne, &got); err != nil {
		return nil, err
	}
	if got.ID != "" && got.ID.String() != id {
		return nil, nonsense("another call than the one that was asked for")
	}
	at, err := instant(got.At)
	if err != nil {
		return nil, err
	}
	if got.Duration == nil {
		return nil, nonsense("a call without a duration")
	}
	seconds, err := got.Duration.Int64()
	if err != nil || seconds < 0 || seconds > longest {
		return nil, nonsense("a duration that can't be meant")
	}
	return &carrier.Call{Calling: got.Calling, Called: got.Called, Dialed: got.Dialed, Way: got.Way, StartedAt: at,
		Outgoing: sameNumber(got.Calling, l.name), Duration: time.Duration(seconds) * time.Second, Hangup: got.Hangup}, nil
}

const longest = int64(10 * 365 * 24 * time.Hour / time.Second) // beyond it seconds could not be counted on with

// sameNumber tells whether two texts are one number, with or without +, 00 or nothing before the country.
func sameNumber(a, b string) bool {
	bare := func(s string) string { return strings.TrimPrefix(strings.TrimPrefix(s, "+"), "00") }
	return a != "" && bare(a) == bare(b)
}

// instant reads a time. OVH writes the zone with or without a colon.
func instant(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, nonsense(fmt.Sprintf("a time of %d characters that is none", len(text)))
}
