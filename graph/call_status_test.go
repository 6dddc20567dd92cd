package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"switchboard/comms"
	"switchboard/comms/call"
)

const callStatus = `subscription($id: ID, $after: String) { callStatusChanged(callId: $id, after: $after) { cursor kind at call { id status outcome } } }`

// steps are the words for the steps of a call that an EventSource gets, and whether the stream said that it is complete.
func (w *web) steps(p *person, variables map[string]any, lastEvent string) (words, cursors []string, complete bool) {
	w.Helper()
	body := must(json.Marshal(map[string]any{"query": callStatus, "variables": variables}))(w)
	got := w.do(exchange{body: string(body), head: map[string]string{"Accept": "text/event-stream", "Authorization": "Bearer " + p.token, "Last-Event-ID": lastEvent}})
	if got.status != http.StatusOK {
		w.Fatalf("%d %s", got.status, got.body)
	}
	for _, line := range strings.Split(got.body, "\n") {
		if line == "event: complete" {
			complete = true
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || data == "" {
			continue
		}
		var next struct {
			Data struct {
				CallStatusChanged struct {
					Cursor, Kind, At string
					Call             struct{ Status string }
				}
			}
			Errors []struct{ Extensions struct{ Code string } }
		}
		if err := json.Unmarshal([]byte(data), &next); err != nil {
			w.Fatal(err)
		}
		if len(next.Errors) > 0 {
			words = append(words, next.Errors[0].Extensions.Code)
			continue
		}
		e := next.Data.CallStatusChanged
		if e.At == "" || !strings.HasPrefix(e.Kind, "CALL_") {
			w.Errorf("%s", data)
		}
		words, cursors = append(words, e.Call.Status), append(cursors, e.Cursor)
	}
	return words, cursors, complete
}

var wholeCall = []string{"QUEUED", "DIALLING", "RINGING", "ANSWERED", "ENDED"}

// lived is a call that has gone through all its steps.
func (k *kit) lived(p *person) *comms.Call {
	k.Helper()
	c := k.placed(p, call.PlaceCall{})
	k.answers(c)
	k.ends(c, hungUp)
	return c
}

// The watch of one call tells all its steps in order, each once, whenever it begins, and completes. From each place on it tells the rest.
func TestStepsOfOneCall(t *testing.T) {
	w := onWeb(t)
	me, other := w.person(1), w.person(1)
	c := w.lived(me)
	w.lived(me)
	of := map[string]any{"id": c.ID.String()}
	words, cursors, complete := w.steps(me, of, "")
	if !slices.Equal(words, wholeCall) || !complete {
		t.Fatal(words, complete)
	}
	for i, cursor := range cursors {
		for name, got := range map[string]func() ([]string, []string, bool){
			"after": func() ([]string, []string, bool) {
				return w.steps(me, map[string]any{"id": c.ID.String(), "after": cursor}, "")
			},
			"Last-Event-ID": func() ([]string, []string, bool) { return w.steps(me, of, cursor) },
		} {
			if rest, _, complete := got(); !slices.Equal(rest, wholeCall[i+1:]) || !complete {
				t.Errorf("%s %s: %v %v", name, words[i], rest, complete)
			}
		}
	}
	for name, ask := range map[string]struct {
		who *person
		id  string
	}{"another's": {other, c.ID.String()}, "no id": {me, "x"}, "nobody's": {me, "00000000-0000-4000-8000-000000000000"}} {
		if got, _, _ := w.steps(ask.who, map[string]any{"id": ask.id}, ""); !slices.Equal(got, []string{"NOT_FOUND"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// On a socket too: what was missed, what happens then, and the end; the id is free for use again.
func TestCallWatchedOnASocket(t *testing.T) {
	w := onWeb(t)
	me := w.person(1)
	c := w.placed(me, call.PlaceCall{})
	p := w.accepted(me.init())
	subscribe := fmt.Sprintf(`{"id":"1","type":"subscribe","payload":{"query":%q,"variables":{"id":%q}}}`, callStatus, c.ID)
	p.say(subscribe)
	heard := func(want ...string) {
		t.Helper()
		for _, word := range want {
			if got := p.next(); !strings.Contains(got, `"status":"`+word+`"`) {
				t.Fatalf("%s, want %s", got, word)
			}
		}
	}
	heard("QUEUED", "DIALLING")
	w.answers(c)
	heard("RINGING", "ANSWERED")
	w.ends(c, hungUp)
	heard("ENDED")
	p.hears(`{"id":"1","type":"complete"}`)
	p.say(subscribe)
	heard(wholeCall...)
	p.hears(`{"id":"1","type":"complete"}`)
}
