package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"switchboard/comms"
	"switchboard/comms/call"
)

// What a mutation asks for reaches the engine as it was asked, and its payload shows the call.
func TestCallControl(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(1)
		var placed struct {
			PlaceCall struct {
				Replayed bool
				Call     struct {
					ID, Direction, Peer, Status, UserData, ClientKey string
					Record                                           bool
					Number                                           struct{ ID string }
				}
			}
		}
		place := fmt.Sprintf(`mutation { placeCall(input: {from: %q, to: "+999000000001", record: true, ringFor: 20, maxDuration: 600, userData: "flowers", clientKey: "mine"})
			{ replayed call { id direction peer status userData clientKey record number { id } } userErrors { code field } } }`, me.numbers[0].ID)
		k.get(me.ctx, place, nil, &placed)
		c := placed.PlaceCall.Call
		if c.Direction != "OUTGOING" || c.Peer != "+999000000001" || c.Status != "DIALLING" || c.UserData != "flowers" || c.ClientKey != "mine" || !c.Record ||
			c.Number.ID != me.numbers[0].ID.String() || placed.PlaceCall.Replayed {
			k.Errorf("%+v", placed)
		}
		k.get(me.ctx, place, nil, &placed)
		if !placed.PlaceCall.Replayed || placed.PlaceCall.Call.ID != c.ID {
			k.Errorf("again: %+v", placed)
		}
		k.answers(must(k.calls.Call(me.ctx, idOf(c.ID)))(k))
		for _, step := range []struct {
			do   string
			told func(call.Order) bool
		}{
			{`sendDigits(input: {callId: %q, digits: "1,#"}) { call { id } userErrors { code } }`,
				func(o call.Order) bool { return o.SendDigits.Digits == "1,#" && !o.SendDigits.First }},
			{`sendDigits(input: {callId: %q, digits: "2", side: FIRST}) { call { id } userErrors { code } }`,
				func(o call.Order) bool { return o.SendDigits.Digits == "2" && o.SendDigits.First }},
			// It was placed to be recorded. To say so again changes nothing and orders nothing.
			{`startRecording(input: {callId: %q}) { recording { id } userErrors { code } }`, func(o call.Order) bool { return o.SendDigits != nil }},
			{`stopRecording(input: {callId: %q}) { recording { id } userErrors { code } }`, func(o call.Order) bool { return o.StopRecord }},
			{`transfer(input: {callId: %q, to: "+999000000002"}) { call { id } userErrors { code } }`, func(o call.Order) bool {
				// The new side answers.
				return o.Transfer.Number == "+999000000002" && k.calls.CallTransferred(k.Context(), idOf(c.ID), "") == nil
			}},
			{`hangUp(input: {callId: %q}) { call { id } userErrors { code } }`, func(o call.Order) bool { return o.HangUp.Why == call.WhyHungUp }},
		} {
			r := k.ask(me.ctx, "mutation { "+fmt.Sprintf(step.do, c.ID)+" }", nil)
			if len(r.Errors) > 0 || !strings.Contains(string(r.Data), `"userErrors":[]`) || !strings.Contains(string(r.Data), `"id":"`) {
				k.Errorf("%s: %s %v", step.do, r.Data, r.Errors)
			}
			if o := k.sip.last(k); !step.told(o) {
				k.Errorf("%s: %+v", step.do, o)
			}
		}
		var over struct {
			Call struct{ Status, Outcome, Reason, Second string }
		}
		k.get(me.ctx, fmt.Sprintf(`{ call(id: %q) { status outcome reason second } }`, c.ID), nil, &over)
		if got := fmt.Sprint(over.Call); got != "{ENDED ANSWERED HUNG_UP +999000000002}" {
			k.Error(got)
		}
	})
}

// What can't be spoken, and too many calls, are no matter of the input: the request is refused as a whole.
func TestCallsRefusedAsAWhole(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(1)
		refused := func(query, code string) {
			t.Helper()
			r := k.ask(me.ctx, query, nil)
			if len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != code {
				k.Errorf("%s: %s %v, want %s", query, r.Data, r.Errors, code)
			}
		}
		refused(`mutation { placeCall(input: {to: "+999000000001", message: "Qapla'", language: "tlh"}) { call { id } } }`, "NO_VOICE")
		refused(`{ calls(filter: {numberIds: ["x"]}) { nodes { id } } }`, "NOT_FOUND")
		refused(`{ calls(filter: {peer: "somebody"}) { nodes { id } } }`, "INVALID")
		refused(`{ masks(filter: {applicationId: "x"}) { nodes { id } } }`, "NOT_FOUND")
		refused(`{ explainRoute(to: "+999000000001") { decision } }`, "NOT_FOUND")
		for range 10 { // as many as the free plan has at once
			k.placed(me, call.PlaceCall{})
		}
		refused(fmt.Sprintf(`mutation { placeCall(input: {from: %q, to: "+999000000001"}) { call { id } } }`, me.numbers[0].ID), "LIMITED")
	})
}

func TestCallFilters(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(2)
		lived := k.lived(me)
		busy := k.placed(me, call.PlaceCall{From: me.numbers[1].ID, To: "+999000000003"})
		k.ends(busy, call.End{Why: call.WhyBusy, By: call.ByCallee, Status: 486, Cause: 17})
		rings := k.placed(me, call.PlaceCall{To: "+999000000004"})
		k.rings(rings)
		names := map[string]string{lived.ID.String(): "lived", busy.ID.String(): "busy", rings.ID.String(): "rings"}
		for filter, want := range map[string]string{
			``:                              "rings busy lived",
			`status: []`:                    "rings busy lived",
			`status: [RINGING, QUEUED]`:     "rings",
			`status: ENDED`:                 "busy lived",
			`outcome: [BUSY]`:               "busy",
			`outcome: [BUSY, ANSWERED]`:     "busy lived",
			`direction: INCOMING`:           "",
			`direction: OUTGOING`:           "rings busy lived",
			`live: true`:                    "rings",
			`live: false`:                   "busy lived",
			`peer: "+999 000 000 003"`:      "busy",
			`maxDuration: 0`:                "rings busy lived",
			`minDuration: 1`:                "",
			`since: "2126-01-01T00:00:00Z"`: "",
			`until: "2126-01-01T00:00:00Z"`: "rings busy lived",
			`numberIds: ["` + me.numbers[1].ID.String() + `"]`:                  "busy",
			`numberIds: ["` + me.numbers[0].ID.String() + `"], outcome: [BUSY]`: "",
		} {
			var data struct {
				Calls struct {
					Nodes      []struct{ ID string }
					TotalCount int
				}
			}
			k.get(me.ctx, `{ calls(filter: {`+filter+`}) { nodes { id } totalCount } }`, nil, &data)
			k.compare(filter, calledBy(data.Calls.Nodes, names), data.Calls.TotalCount, want)
		}
	})
}

// calledBy is what the test calls the things of a list.
func calledBy(nodes []struct{ ID string }, names map[string]string) []string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = names[n.ID]
	}
	return out
}

func (k *kit) compare(filter string, got []string, total int, want string) {
	k.Helper()
	if strings.Join(got, " ") != want || total != len(got) {
		k.Errorf("%s: %v of %d, want %s", filter, got, total, want)
	}
}

// Each kind of mask as it is asked for and shown; and what the list of them can be asked for.
func TestMasks(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(5)
		made := map[string]string{}
		for i, in := range []string{
			`kind: AXB, first: "+8613800000001", second: "+8613800000002", direction: FIRST, record: true, userData: "order 7"`,
			`kind: AX, first: "+8613800000003"`,
			`kind: AXE, first: "+8613800000004", extension: "12"`,
			`kind: AXYB, first: "+8613800000005", second: "+8613800000006", secondNumberId: "` + me.numbers[4].ID.String() + `", ttl: 60`,
		} {
			var data struct {
				MaskNumbers struct {
					Mask struct {
						ID, Kind, First, Direction, UserData string
						Second, Extension, ExpiresAt         *string
						Live, Record                         bool
						Number                               struct{ Number string }
						SecondNumber                         *struct{ Number string }
					}
					UserErrors []struct{ Code, Field, Message string }
				}
			}
			k.get(me.ctx, fmt.Sprintf(`mutation { maskNumbers(input: {numberId: %q, %s}) { mask { id kind first second direction extension record userData live expiresAt
				number { number } secondNumber { number } } userErrors { code field message } } }`, me.numbers[i].ID, in), nil, &data)
			m := data.MaskNumbers.Mask
			if len(data.MaskNumbers.UserErrors) > 0 || !strings.HasPrefix(in, "kind: "+m.Kind+", first: "+fmt.Sprintf("%q", m.First)) || !m.Live ||
				m.Number.Number != me.numbers[i].Number || (m.Second == nil) != (m.Kind == "AX" || m.Kind == "AXE") || (m.Extension != nil) != (m.Kind == "AXE") ||
				(m.SecondNumber != nil) != (m.Kind == "AXYB") || (m.ExpiresAt != nil) != (m.Kind == "AXYB") || m.Record != (m.Kind == "AXB") {
				k.Errorf("%s: %+v", in, data.MaskNumbers)
			}
			made[m.ID] = m.Kind
			if i == 1 {
				k.get(me.ctx, fmt.Sprintf(`mutation { unmaskNumbers(input: {id: %q}) { mask { live endedAt } } }`, m.ID), nil, &struct{}{})
			}
		}
		for filter, want := range map[string]string{
			``:                                     "AXYB AXE AX AXB",
			`live: true`:                           "AXYB AXE AXB",
			`live: false`:                          "AX",
			`kinds: [AX, AXE]`:                     "AXE AX",
			`party: "+8613800000006"`:              "AXYB",
			`party: "+8613800000006", live: false`: "",
			`numberIds: ["` + me.numbers[4].ID.String() + `"]`: "AXYB",
		} {
			var data struct {
				Masks struct {
					Nodes      []struct{ ID string }
					TotalCount int
				}
			}
			k.get(me.ctx, `{ masks(filter: {`+filter+`}) { nodes { id } totalCount } }`, nil, &data)
			k.compare(filter, calledBy(data.Masks.Nodes, made), data.Masks.TotalCount, want)
		}
	})
}

func TestRoutesExplained(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, other := k.person(2), k.person(1)
		must(k.calls.MaskNumbers(me.ctx, call.MaskNumbers{Kind: "axe", NumberID: me.numbers[1].ID, First: "+8613800000004"}))(k)
		must(k.svc.BlockNumber(me.ctx, comms.BlockNumber{Number: "+886900000001"}))(k)
		own := me.numbers[0].Number
		for _, c := range []struct{ from, to, want string }{
			{own, "+999000000001", "PUT_THROUGH null +999000000001 [{WORLD +999000000001}]"},
			{"+886900000002", own, "REFUSE UNREACHABLE null []"},
			{"+886900000001", own, "REFUSE BLOCKED null []"},
			{"+886900000002", me.numbers[1].Number, "ASK null null []"},
			{own, "+4930123456", "REFUSE NOT_ALLOWED null []"},
			{own, other.numbers[0].Number, "PUT_THROUGH null " + other.numbers[0].Number + " []"},
		} {
			var data struct {
				ExplainRoute struct {
					Decision       string
					Reason, Callee *string
					Targets        []struct{ Kind, Number string }
					Steps          []string
					RingFor        int
				}
			}
			or := func(s *string) string {
				if s == nil {
					return "null"
				}
				return *s
			}
			k.get(me.ctx, fmt.Sprintf(`{ explainRoute(from: %q, to: %q) { decision reason callee shownAs targets { kind number } ringFor record steps } }`, c.from, c.to), nil, &data)
			e := data.ExplainRoute
			got := fmt.Sprint(e.Decision, " ", or(e.Reason), " ", or(e.Callee), " ", e.Targets)
			if got != c.want || len(e.Steps) == 0 || slices.Contains(e.Steps, "") || (e.RingFor > 0) != (e.Decision == "PUT_THROUGH") {
				k.Errorf("%s to %s: %s, want %s: %+v", c.from, c.to, got, c.want, e)
			}
		}
	})
}
