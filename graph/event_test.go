package graph

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/db"
)

// watched opens a subscription as a transport does.
func (k *kit) watched(p *person, query string, variables map[string]any) *comms.Watcher {
	k.Helper()
	set := &plan{}
	if r := k.ask(withPlan(p.ctx, set), query, variables); len(r.Errors) > 0 || r.Data != nil || set.watcher == nil {
		k.Fatalf("%s: %s %v", query, r.Data, r.Errors)
	}
	k.Cleanup(set.watcher.Close)
	return set.watcher
}

func (k *kit) missed(w *comms.Watcher) []*comms.Event {
	k.Helper()
	events, more, err := w.Missed(k.Context(), w.After(), 100)
	if err != nil || more {
		k.Fatal(more, err)
	}
	return events
}

const everyEvent = `subscription($after: String, $kinds: [EventKind!]) { events(after: $after, kinds: $kinds) { __typename cursor kind at
	... on MessageReceivedEvent { message { text from to status direction deliveredAt } }
	... on MessageEvent { message { text from to status direction deliveredAt } }
	... on NumberEvent { number { id number alias } }
	... on BlockEvent { blocked: number }
	... on AccountEvent { apiToken { id comment scopes } }
	... on CallEvent { call { id direction peer status outcome reason duration userData createdAt dialledAt ringingAt answeredAt endedAt } }
	... on RecordingEvent { recording { id status duration size url } }
	... on MaskEvent { mask { id kind first second live userData expiresAt endedAt } }
	... on PhoneEvent { sipNumber { id number alias } }
	... on GroupEvent { numberGroup { id name policy createdAt } }
	... on CarrierEvent { carrierLink { id carrier state identity problem failures importing progress { done total added } nextImportAt importedAt } } } }`

type eventSeen struct {
	Typename         string `json:"__typename"`
	Cursor, Kind, At string
	Message          *messageSeen
	Number           *struct{ ID, Number, Alias string }
	Blocked          string
	ApiToken         *struct {
		ID, Comment string
		Scopes      []string
	}
	Call      *callSeen
	Recording *struct {
		Status   string
		Duration float64
		Size     int
		URL      *string
	}
	Mask *struct {
		Kind, First, Second string
		Live                bool
	}
	SipNumber   *struct{ Alias string }
	NumberGroup *struct{ Name, Policy string }
	CarrierLink *linkSeen
}

// Every kind of event, as the verbs make it: its type, and what it tells. Rendering reads nothing from the store.
func TestEveryKindOfEvent(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, a := k.person(1), k.person(1)
		w := k.watched(me, everyEvent, nil)
		k.everything(me, a)
		k.everyCall(me)
		k.everythingOutside(me)
		kinds := map[comms.Kind]string{}
		for _, e := range k.missed(w) {
			got := k.render(me, e)
			kinds[e.Kind] = got.Typename
			if got.Cursor != e.Cursor() || strings.ToLower(strings.ReplaceAll(got.Kind, "_", "")) != strings.ReplaceAll(string(e.Kind), ".", "") {
				k.Errorf("%v is shown as %+v", e.Kind, got)
			}
			if _, err := time.Parse(time.RFC3339Nano, got.At); err != nil {
				k.Error(err)
			}
			k.told(got)
		}
		for _, kind := range comms.Kinds() {
			if kinds[kind] == "" {
				k.Errorf("%s did not happen", kind)
			}
		}
	})
}

// everything does what each kind of event tells of, once at least.
func (k *kit) everything(me, a *person) {
	k.Helper()
	came := k.send(a, me.numbers[0], "came")
	k.send(me, a.numbers[0], "went")
	must(k.svc.MarkDelivered(me.ctx, []int64{came.ID}))(k)
	number := k.another(me)
	must(k.svc.UpdateNumber(me.ctx, number.ID, "new name"))(k)
	must(k.svc.DeleteNumber(me.ctx, number.ID))(k)
	must(k.svc.BlockNumber(me.ctx, comms.BlockNumber{Number: "+999000055555"}))(k)
	must(k.svc.UnblockNumber(me.ctx, "+999000055555"))(k)
	token := must(k.svc.CreateApiToken(me.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount | comms.ReadEvents, Comment: "c"}))(k)
	must(k.svc.RevokeApiToken(me.ctx, token.Token.ID))(k)
	if _, _, err := k.svc.RegenerateApiKey(me.ctx, ""); err != nil {
		k.Fatal(err)
	}
	must(k.svc.SetMatrixID(me.ctx, "@me:example.com"))(k)
}

func (k *kit) render(p *person, e *comms.Event) eventSeen {
	k.Helper()
	ctx, n := db.CountStatements(withEvent(p.ctx, e))
	var data struct{ Events eventSeen }
	k.get(ctx, everyEvent, nil, &data)
	if n.Load() != 0 {
		k.Errorf("%s took %d statements", e.Kind, n.Load())
	}
	return data.Events
}

// told checks that an event has what its type promises, and nothing of another.
func (k *kit) told(e eventSeen) {
	k.Helper()
	ok := false
	switch e.Typename {
	case "MessageReceivedEvent":
		ok = e.Kind == "MESSAGE_RECEIVED" && *e.Message.Text == "came" && e.Message.Direction == "RECEIVED" && e.Message.Status == "SENT"
	case "MessageEvent":
		ok = e.Kind == "MESSAGE_SENT" && *e.Message.Text == "went" && e.Message.Direction == "SENT" ||
			e.Kind == "MESSAGE_DELIVERED" && e.Message.DeliveredAt != nil && e.Message.Status == "DELIVERED"
	case "NumberEvent":
		ok = strings.HasPrefix(e.Kind, "NUMBER_") && e.Number != nil && e.Number.Number != "" && (e.Kind == "NUMBER_CREATED") == (e.Number.Alias == "another")
	case "BlockEvent":
		ok = e.Blocked == "+999000055555"
	case "AccountEvent":
		ok = strings.HasPrefix(e.Kind, "A") && strings.HasPrefix(e.Kind, "API_TOKEN") == (e.ApiToken != nil)
		if e.ApiToken != nil {
			ok = ok && e.ApiToken.Comment == "c" && slices.Equal(e.ApiToken.Scopes, []string{"ACCOUNT_READ", "EVENTS_READ"})
		}
	}
	if e.NumberGroup != nil || e.CarrierLink != nil {
		ok = toldOfOutside(e)
	}
	if e.Call != nil || e.Recording != nil || e.Mask != nil || e.SipNumber != nil {
		ok = k.toldOfCall(e)
	}
	if !ok {
		k.Errorf("%+v %+v", e, e.CarrierLink)
	}
}

// another draws one more number.
func (k *kit) another(p *person) *comms.Number {
	k.Helper()
	q := must(k.svc.AskCaptcha(p.ctx))(k)
	token, _, err := k.svc.SolveCaptcha(p.ctx, comms.SolveCaptcha{A: q.A, B: q.B, Answer: q.A + q.B})
	if err != nil {
		k.Fatal(err)
	}
	return must(k.svc.CreateNumber(p.ctx, comms.CreateNumber{Alias: "another", PIN: "1234", CaptchaToken: token.String()}))(k).Number
}

func TestWatching(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, a := k.person(2), k.person(1)
		var at struct{ Me struct{ LogCursor string } }
		k.get(me.ctx, `{ me { logCursor } }`, nil, &at)
		k.send(a, me.numbers[0], "one")
		k.send(a, me.numbers[1], "two")
		k.send(me, a.numbers[0], "out")
		after := map[string]any{"after": at.Me.LogCursor}

		texts := func(w *comms.Watcher) (out []string) {
			for _, e := range k.missed(w) {
				if e.Message != nil {
					out = append(out, string(e.Kind)+" "+e.Message.Text)
				}
			}
			return out
		}
		received := `subscription($after: String, $ids: [ID!]) { messageReceived(after: $after, numberIds: $ids) { cursor message { text } } }`
		if got := texts(k.watched(me, received, after)); !slices.Equal(got, []string{"message.received one", "message.received two"}) {
			k.Errorf("received: %v", got)
		}
		only := map[string]any{"after": at.Me.LogCursor, "ids": []any{me.numbers[1].ID.String()}}
		if got := texts(k.watched(me, received, only)); !slices.Equal(got, []string{"message.received two"}) {
			k.Errorf("received by one number: %v", got)
		}
		some := map[string]any{"after": at.Me.LogCursor, "kinds": []any{"MESSAGE_SENT", "NUMBER_CREATED"}}
		if got := texts(k.watched(me, everyEvent, some)); !slices.Equal(got, []string{"message.sent out"}) {
			k.Errorf("of two kinds: %v", got)
		}
		if got := texts(k.watched(me, everyEvent, nil)); got != nil {
			k.Errorf("from now on: %v", got)
		}
		// A message event shown by messageReceived: its number is read only where it is asked for.
		e := k.missed(k.watched(me, received, after))[0]
		ctx, n := db.CountStatements(withEvent(me.ctx, e))
		r := k.ask(ctx, `subscription { m: messageReceived { kind message { id text number { number } } } }`, nil)
		want := fmt.Sprintf(`{"m":{"kind":"MESSAGE_RECEIVED","message":{"id":"%d","text":"one","number":{"number":"%s"}}}}`, e.Message.ID, me.numbers[0].Number)
		if string(r.Data) != want || n.Load() != 1 {
			k.Errorf("%s %v in %d statements, want %s", r.Data, r.Errors, n.Load(), want)
		}
	})
}

func TestRefusedWatches(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(1)
		for query, code := range map[string]string{
			`subscription { events(after: "x") { cursor } }`:                    "BAD_CURSOR",
			`subscription { events(after: "ezzzzzzzz") { cursor } }`:            "BAD_CURSOR",
			`subscription { messageReceived(numberIds: ["x"]) { cursor } }`:     "NOT_FOUND",
			`subscription { messageReceived(after: "e-1") { cursor } }`:         "BAD_CURSOR",
			`subscription { events(kinds: [MESSAGE_SENT], after: "") { kind }}`: "",
		} {
			p := &plan{}
			r := k.ask(withPlan(me.ctx, p), query, nil)
			if p.watcher != nil {
				p.watcher.Close()
			}
			got := ""
			if len(r.Errors) > 0 {
				got = fmt.Sprint(r.Errors[0].Extensions["code"])
			}
			if got != code || (p.watcher != nil) != (code == "") {
				k.Errorf("%s: %v, watcher %v, want %s", query, r.Errors, p.watcher, code)
			}
		}
		// Without a transport that plans it a subscription is our fault, and opens nothing.
		if r := k.ask(me.ctx, `subscription { events { cursor } }`, nil); len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != "INTERNAL" {
			k.Errorf("%v", r.Errors)
		}
	})
}

// The event that a transport renders carries what it needs even after the thing is gone.
func TestEventsTellWhatWas(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(0)
		w := k.watched(me, everyEvent, nil)
		n := k.another(me)
		must(k.svc.DeleteNumber(me.ctx, n.ID))(k)
		events := k.missed(w)
		if b := must(json.Marshal(k.render(me, events[0])))(k); len(events) != 2 || !strings.Contains(string(b), n.Number) {
			k.Errorf("%s", b)
		}
	})
}
