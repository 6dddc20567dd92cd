package sip

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms/call"
)

// Whatever comes, late or doubled, leads along the tables to an end, and nothing leads out of it.
func TestLegTables(t *testing.T) {
	for name, table := range map[string]legTable{"caller": uasTable, "callee": uacTable} {
		reached := map[legState]bool{legIncoming: name == "caller", legCalling: name == "callee"}
		for range 10 {
			for from, lines := range table {
				for _, to := range lines {
					reached[to] = reached[to] || reached[from]
				}
			}
		}
		for from := range table {
			if !reached[from] {
				t.Errorf("%s: %s is never reached", name, from)
			}
			ends := map[legState]bool{from: true}
			for range 10 {
				for at := range ends {
					for _, to := range table[at] {
						ends[to] = true
					}
				}
			}
			if !ends[legEnded] {
				t.Errorf("%s: %s never ends", name, from)
			}
		}
		if len(table[legEnded]) > 0 {
			t.Errorf("%s: something comes after the end", name)
		}
	}
	l := &leg{state: legEnded}
	for _, e := range []legEvent{evProvisional, evSuccess, evFailure, evAck, evNoAck, evHangUp, evBye, evDone} {
		if l.move(e) || l.state != legEnded {
			t.Errorf("%q moved a leg that had ended", e)
		}
	}
}

// whys is every word of the rules; the table must know them all.
var whys = []call.Why{call.WhyHungUp, call.WhyNoAnswer, call.WhyBusy, call.WhyDeclined, call.WhyCancelled, call.WhyUnreachable, call.WhyNoSuch,
	call.WhyDisabled, call.WhyBlocked, call.WhyStranger, call.WhyExpired, call.WhyDirection, call.WhyNotAllowed, call.WhyTooMany,
	call.WhyOverload, call.WhyNoMedia, call.WhyNoVoice, call.WhyTooLong, call.WhyLost, call.WhyRestart, call.WhyStopping, call.WhyDeleted,
	call.WhyFailed}

func TestEveryWordHasAMeaning(t *testing.T) {
	for _, w := range whys {
		m, ok := meanings[w]
		if !ok || m.status < 400 || m.status > 699 || m.phrase == "" || m.cause < 1 || m.cause > 127 {
			t.Errorf("%s means %+v", w, m)
		}
	}
	if len(whys) != len(meanings) {
		t.Errorf("%d words, %d meanings", len(whys), len(meanings))
	}
}

func TestEndings(t *testing.T) {
	for _, one := range []struct {
		status int
		reason string
		want   call.End
	}{
		{486, "", call.End{Why: call.WhyBusy, Status: 486, Cause: 17}},
		{480, `Q.850;cause=19;text="no answer, sorry"`, call.End{Why: call.WhyNoAnswer, Status: 480, Cause: 19}},
		{500, `SIP;cause=500;text="a, b", q.850 ; cause = 1`, call.End{Why: call.WhyNoSuch, Status: 500, Cause: 1}},
		{486, `Q.850;cause=34`, call.End{Why: call.WhyBusy, Status: 486, Cause: 34}},
		{503, `Q.850;cause=999`, call.End{Why: call.WhyUnreachable, Status: 503, Cause: 20}},
		{301, "", call.End{Why: call.WhyFailed, Status: 301, Cause: 41}},
		{699, "", call.End{Why: call.WhyFailed, Status: 699, Cause: 41}},
	} {
		res := sip.NewResponse(one.status, "x")
		if one.reason != "" {
			res.AppendHeader(sip.NewHeader("Reason", one.reason))
		}
		one.want.By = call.ByCallee
		if got := ending(res); got != one.want {
			t.Errorf("%d %s: %+v", one.status, one.reason, got)
		}
	}
}
