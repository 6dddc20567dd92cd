package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/carrier"
	"switchboard/internal/clock"
)

// The same for the fields of things: who has a thing in front of him sees all its fields but those that say otherwise here.
type nodeRow struct {
	field    string
	needs    comms.Scope // beside the scope by which the thing is reached
	narrow   string      // for a token without needs
	operator string      // for an operator who looks at another's account; empty: as the owner
}

type nodeTable struct {
	typ   string
	reach string // %s is the field
	scope comms.Scope
	rows  []nodeRow
}

// forOperators are the types that only an operator reaches.
var forOperators = []string{"Trunk"}

func plain(fields ...string) []nodeRow {
	rows := make([]nodeRow, len(fields))
	for i, f := range fields {
		rows[i].field = f
	}
	return rows
}

var nodeTables = []nodeTable{
	{"Account", `{ me { x: %s } }`, comms.ReadAccount, append(plain("id", "email", "plan", "operator", "active", "matrixId", "createdAt"),
		nodeRow{"apiKey", everything &^ comms.ReadAccount, "null", "null"}, nodeRow{"logCursor", 0, "", "null"})},
	{"Session", `{ sessions { x: %s } }`, comms.ReadAccount, plain("id", "kind", "createdAt", "lastSeenAt", "active")},
	{"ApiToken", `{ apiTokens { nodes { x: %s } } }`, comms.ReadAccount, plain("id", "comment", "scopes", "createdAt", "expiresAt")},
	{"Number", `{ numbers { nodes { x: %s } } }`, comms.ReadNumbers, append(plain("id", "number", "alias", "ability", "source", "disabled", "createdAt"),
		nodeRow{"messages", comms.ReadMessages, "FORBIDDEN", ""}, nodeRow{"calls", comms.ReadRecords, "FORBIDDEN", ""}, nodeRow{"groups", 0, "", ""})},
	{"NumberGroup", `{ numberGroups { nodes { x: %s } } }`, comms.ReadNumbers, plain("id", "name", "policy", "numbers", "createdAt", "updatedAt")},
	{"Message", `{ messages { nodes { x: %s } } }`, comms.ReadMessages, append(plain("id", "direction", "kind", "from", "fromName", "to", "text", "file",
		"length", "status", "createdAt", "deliveredAt"), nodeRow{"number", comms.ReadNumbers, "FORBIDDEN", ""})},
	{"File", `{ messages { nodes { file { x: %s } } } }`, comms.ReadMessages, plain("name", "length", "url", "urlExpiresAt")},
	{"Call", `{ calls { nodes { x: %s } } }`, comms.ReadRecords, append(plain("id", "direction", "peer", "second", "status", "outcome", "reason", "sipStatus",
		"cause", "duration", "record", "recordings", "clientKey", "userData", "createdAt", "dialledAt", "ringingAt", "answeredAt", "endedAt"),
		nodeRow{"number", comms.ReadNumbers, "FORBIDDEN", ""}, nodeRow{"mask", comms.ReadNumbers, "FORBIDDEN", ""})},
	{"CallRecord", `{ callRecords { nodes { x: %s } } }`, comms.ReadRecords, append(plain("id", "calling", "called", "dialed", "direction", "way", "startedAt",
		"duration", "hangup", "recordingUrl", "call"), nodeRow{"carrierLink", comms.ReadAccount, "FORBIDDEN", ""})},
	{"CarrierLink", `{ carrierLinks { nodes { x: %s } } }`, comms.ReadAccount, plain("id", "carrier", "state", "identity", "importEvery", "problem", "failures",
		"importing", "progress", "nextImportAt", "importedAt", "linkedAt", "createdAt")},
	{"ImportProgress", `{ carrierLinks { nodes { progress { x: %s } } } }`, comms.ReadAccount, plain("done", "total", "added")},
	{"NoticeChannel", `{ noticeChannels { x: %s } }`, comms.ReadAccount, plain("id", "kind", "state", "matrixId", "roomId", "deviceName", "problem", "failures",
		"nextAttemptAt", "lastToldAt", "createdAt")},
	{"Recording", `{ recordings { nodes { x: %s } } }`, comms.ReadRecords, plain("id", "call", "status", "duration", "size", "url", "urlExpiresAt", "createdAt", "readyAt")},
	{"Mask", `{ masks { nodes { x: %s } } }`, comms.ReadNumbers, plain("id", "kind", "number", "secondNumber", "first", "second", "direction", "extension",
		"record", "userData", "live", "createdAt", "expiresAt", "endedAt")},
	{"SipNumber", `{ sipNumbers { nodes { x: %s } } }`, comms.ReadNumbers, append(plain("id", "number", "alias", "secure", "rings", "registered", "registrations", "createdAt"),
		nodeRow{"password", comms.WriteNumbers, "null", ""})},
	{"SipRegistration", `{ sipNumbers { nodes { registrations { x: %s } } } }`, comms.ReadNumbers, plain("source", "transport", "userAgent", "createdAt", "expiresAt")},
	{"Trunk", `{ trunks { nodes { x: %s } } }`, comms.ReadAccount, plain("id", "name", "address", "transport", "username", "register", "prefixes", "sources",
		"callerId", "fixedCaller", "concurrency", "perMinute", "disabled", "createdAt")},
	{"BlockedNumber", `{ blockedNumbers { nodes { x: %s } } }`, comms.ReadNumbers, plain("id", "number", "createdAt")},
}

// shown says in one word what came of the field x of the things in an answer.
func shown(t testing.TB, r reply) string {
	t.Helper()
	if len(r.Errors) > 0 {
		return fmt.Sprint(r.Errors[0].Extensions["code"])
	}
	var data any
	if err := json.Unmarshal(r.Data, &data); err != nil {
		t.Fatal(err)
	}
	word := "hidden"
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if x, ok := v["x"]; ok {
				if x != nil {
					word = "ok"
				} else if word == "hidden" {
					word = "null"
				}
				return
			}
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(data)
	return word
}

// furnish gives the owner's things what they may lack, so that every field has something to show.
func (s *scene) furnish() {
	s.Helper()
	must(s.svc.MarkDelivered(s.owner.ctx, []int64{s.message.ID}))(s)
	must(s.svc.SendMessage(s.peer.ctx, comms.SendMessage{From: s.peer.numbers[0].ID, To: []string{s.owner.numbers[0].Number},
		Data: strings.NewReader("bytes"), Length: 5, FileName: "a.txt"}))(s)
}

// furnishCalls makes a call, a mask and a telephone that lack nothing.
func (s *scene) furnishCalls(operator *person) {
	s.Helper()
	x := s.another(s.owner)
	y := s.another(s.owner)
	must(s.calls.MaskNumbers(s.owner.ctx, call.MaskNumbers{Kind: "axyb", NumberID: x.ID, SecondNumberID: y.ID, First: "+8613800000005",
		Second: "+8613800000006", TTL: time.Hour}))(s)
	z := s.another(s.owner)
	must(s.calls.MaskNumbers(s.owner.ctx, call.MaskNumbers{Kind: "axe", NumberID: z.ID, First: "+8613800000007", Extension: "12"}))(s)
	through := must(s.calls.RouteCall(s.Context(), call.RouteCall{Trunk: s.line(operator).ID, From: "+8613800000005", Dialled: x.Number}))(s)
	if err := s.calls.CallEnded(s.Context(), through.Call, call.End{Why: call.WhyBusy, By: call.ByCallee, Status: 486, Cause: 17}); err != nil {
		s.Fatal(err)
	}
	must(s.calls.UnmaskNumbers(s.owner.ctx, s.mask.ID))(s)
	if err := s.calls.SaveContact(s.Context(), call.SaveContact{Phone: s.phone.SipNumber.ID, URI: "sip:desk@192.0.2.1", Source: "192.0.2.1:5060",
		Transport: "udp", UserAgent: "Desk 1", CallID: "c", CSeq: 1, Expires: clock.Now().Add(time.Hour)}); err != nil {
		s.Fatal(err)
	}
	s.ends(s.call, hungUp)
}

// furnishOutside makes a link whose import failed the last time, beside that which works, and channels that lack nothing.
func (s *scene) furnishOutside() {
	s.Helper()
	s.lines.fails = &carrier.Trouble{Problem: carrier.ProblemSlow, Err: errors.New("no answer")}
	s.imports(s.owner)
	s.channels(s.owner)
}

// line is a trunk that lacks nothing.
func (k *kit) line(operator *person) *comms.Trunk {
	k.Helper()
	address, user, password, fixed, rule := "sip.example.com", "we", "secret-word", "+862151860000", "fixed"
	return must(k.calls.CreateTrunk(operator.ctx, call.CreateTrunk{Name: "carrier", TrunkWish: comms.TrunkWish{Address: &address, Username: &user,
		Password: &password, CallerID: &rule, FixedCaller: &fixed, Prefixes: []string{"86"}, Sources: []string{"192.0.2.0/24"}}}))(k).Trunk
}

func TestCallersOfNodes(t *testing.T) {
	s := schema()
	for _, d := range own(s) {
		node := slices.Contains(d.Interfaces, "Node")
		i := slices.IndexFunc(nodeTables, func(n nodeTable) bool { return n.typ == d.Name })
		if i < 0 {
			if node {
				t.Errorf("%s has no table of callers", d.Name)
			}
			continue
		}
		for _, f := range d.Fields {
			if !slices.ContainsFunc(nodeTables[i].rows, func(r nodeRow) bool { return r.field == f.Name }) {
				t.Errorf("%s.%s has no row in the table of callers", d.Name, f.Name)
			}
		}
	}
	onBoth(t, func(k *kit) {
		s := newScene(k)
		s.furnish()
		empty := k.person(0)
		operator := k.person(0)
		must(k.svc.ClaimOperator(operator.ctx, must(k.svc.OperatorToken(k.Context()))(k)))(k)
		s.furnishCalls(operator)
		s.furnishOutside()
		for _, table := range nodeTables {
			for _, row := range table.rows {
				s.nodeRow(table, row, empty, operator)
			}
		}
	})
}

func (s *scene) nodeRow(table nodeTable, row nodeRow, empty, operator *person) {
	s.Helper()
	field := schema().Types[table.typ].Fields.ForName(row.field)
	selection := row.field
	if schema().Types[field.Type.Name()].IsCompositeType() {
		selection += " { __typename }"
	}
	query := fmt.Sprintf(table.reach, selection)
	expect := func(who, want string, ctx context.Context, query string) {
		s.Helper()
		if r := s.ask(ctx, query, nil); shown(s, r) != want {
			s.Errorf("%s.%s by %s: %s, want %s: %s %v", table.typ, row.field, who, shown(s, r), want, r.Data, r.Errors)
		}
	}
	if slices.Contains(forOperators, table.typ) {
		expect("an operator", "ok", operator.ctx, query)
		expect("the owner", "FORBIDDEN", s.owner.ctx, query)
		expect("anonymous", "UNAUTHENTICATED", s.Context(), query)
		return
	}
	expect("the owner", "ok", s.owner.ctx, query)
	expect("anonymous", "UNAUTHENTICATED", s.Context(), query)
	expect("a token without the scope", "FORBIDDEN", s.with(s.owner, everything&^table.scope), query)
	if row.needs != 0 {
		expect("a token without the field's scope", row.narrow, s.with(s.owner, everything&^row.needs), query)
	}
	if table.typ != "Account" { // everybody has an account of his own
		expect("the stranger", "hidden", empty.ctx, query)
		return
	}
	want := "ok"
	if row.operator != "" {
		want = row.operator
	}
	expect("an operator", want, operator.ctx, fmt.Sprintf(`{ accounts(first: 1) { nodes { x: %s } } }`, selection)) // the owner's is the oldest
}
