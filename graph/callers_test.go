package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/pool"
)

// The table of callers: what each field of a root answers the owner of the things in question, a stranger with an account of his own,
// somebody without a credential, and a token of the owner that has every scope but the one that it needs.
//
// An outcome is: a code (of a top-level error, or of the first user error), null, none (an empty list) or ok.

const everything = comms.Scope(1<<9 - 1)

type rootRow struct {
	field    string
	ask      string      // with variables of scene.variables
	needs    comms.Scope // 0: no credential
	owner    string
	stranger string
}

var rootRows = []rootRow{
	{"Query.me", `{ me { id email } }`, comms.ReadAccount, "ok", "ok"},
	{"Query.number", `query($number: ID!) { number(id: $number) { id number alias } }`, comms.ReadNumbers, "ok", "null"},
	{"Query.numbers", `{ numbers { nodes { id } } }`, comms.ReadNumbers, "ok", "ok"},
	{"Query.message", `query($message: ID!) { message(id: $message) { id text } }`, comms.ReadMessages, "ok", "null"},
	{"Query.messages", `{ messages { nodes { id text } totalCount } }`, comms.ReadMessages, "ok", "none"},
	{"Query.blockedNumbers", `{ blockedNumbers { nodes { id number } } }`, comms.ReadNumbers, "ok", "none"},
	{"Query.apiTokens", `{ apiTokens { nodes { id comment } } }`, comms.ReadAccount, "ok", "none"},
	{"Query.sessions", `{ sessions { id kind } }`, comms.ReadAccount, "ok", "none"},
	{"Query.captcha", `{ captcha { a b question } }`, 0, "ok", "ok"},
	{"Query.accounts", `{ accounts { nodes { id email } } }`, comms.ReadAccount, "FORBIDDEN", "FORBIDDEN"},

	{"Query.call", `query($call: ID!) { call(id: $call) { id peer userData } }`, comms.ReadRecords, "ok", "null"},
	{"Query.calls", `{ calls { nodes { id peer userData } totalCount } }`, comms.ReadRecords, "ok", "none"},
	{"Query.recording", `query($recording: ID!) { recording(id: $recording) { id url } }`, comms.ReadRecords, "ok", "null"},
	{"Query.recordings", `{ recordings { nodes { id url } totalCount } }`, comms.ReadRecords, "ok", "none"},
	{"Query.mask", `query($mask: ID!) { mask(id: $mask) { id first second } }`, comms.ReadNumbers, "ok", "null"},
	{"Query.masks", `{ masks { nodes { id first second } totalCount } }`, comms.ReadNumbers, "ok", "none"},
	{"Query.callRecords", `{ callRecords { nodes { id calling called } totalCount } }`, comms.ReadRecords, "ok", "none"},
	{"Query.carrierLink", `query($link: ID!) { carrierLink(id: $link) { id identity } }`, comms.ReadAccount, "ok", "null"},
	{"Query.carrierLinks", `{ carrierLinks { nodes { id identity } totalCount } }`, comms.ReadAccount, "ok", "none"},
	{"Query.numberGroup", `query($group: ID!) { numberGroup(id: $group) { id name numbers { number } } }`, comms.ReadNumbers, "ok", "null"},
	{"Query.numberGroups", `{ numberGroups { nodes { id name } totalCount } }`, comms.ReadNumbers, "ok", "none"},
	{"Query.noticeChannels", `{ noticeChannels { id matrixId } }`, comms.ReadAccount, "ok", "none"},
	{"Query.explainRoute", `query($own: String!) { explainRoute(from: $own, to: "+999000000001") { decision steps } }`, comms.ReadNumbers, "ok", "NOT_FOUND"},
	{"Query.sipNumber", `query($phone: ID!) { sipNumber(id: $phone) { id number alias } }`, comms.ReadNumbers, "ok", "null"},
	{"Query.sipNumbers", `{ sipNumbers { nodes { id number alias } } }`, comms.ReadNumbers, "ok", "none"},
	{"Query.trunk", `{ trunk(id: "x") { id } }`, comms.ReadAccount, "FORBIDDEN", "FORBIDDEN"},
	{"Query.trunks", `{ trunks { nodes { id } } }`, comms.ReadAccount, "FORBIDDEN", "FORBIDDEN"},

	{"Mutation.register", `mutation($fresh: String!) { register(input: {email: $fresh, password: "correct horse"}) { account { email } userErrors { code } } }`, 0, "ok", "ok"},
	{"Mutation.registerByMail", `mutation($fresh: String!) { registerByMail(input: {email: $fresh, password: "correct horse"}) { account { email } userErrors { code } } }`, 0, "ok", "ok"},
	{"Mutation.login", `mutation($email: String!) { login(input: {email: $email, password: "correct horse"}) { token userErrors { code } } }`, 0, "ok", "ok"},
	{"Mutation.setMatrixId", `mutation { setMatrixId(input: {matrixId: "@me:example.com"}) { account { id matrixId } userErrors { code } } }`, comms.WriteAccount, "ok", "ok"},
	{"Mutation.regenerateApiKey", `mutation { regenerateApiKey { apiKey userErrors { code } } }`, comms.WriteAccount, "ok", "ok"},
	{"Mutation.createApiToken", `mutation { createApiToken(input: {scopes: [MESSAGES_SEND]}) { apiToken { id } value userErrors { code } } }`, comms.WriteAccount, "ok", "ok"},
	{"Mutation.revokeApiToken", `mutation($token: ID!) { revokeApiToken(input: {id: $token}) { apiToken { id } userErrors { code } } }`, comms.WriteAccount, "ok", "NOT_FOUND"},
	{"Mutation.solveCaptcha", `mutation { solveCaptcha(input: {a: 1, b: 2, answer: 3}) { token userErrors { code } } }`, 0, "CAPTCHA", "CAPTCHA"},
	{"Mutation.createNumber", `mutation { createNumber(input: {pin: "1234", captchaToken: "none"}) { number { id } userErrors { code } } }`, comms.WriteNumbers, "CAPTCHA", "CAPTCHA"},
	{"Mutation.updateNumber", `mutation($number: ID!) { updateNumber(input: {id: $number, alias: "x"}) { number { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.changeNumberPin", `mutation($number: ID!) { changeNumberPin(input: {id: $number, currentPin: "1234", newPin: "4321"}) { number { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.deleteNumber", `mutation($number: ID!) { deleteNumber(input: {id: $number}) { number { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.sendMessage", `mutation($number: ID!, $peer: PhoneNumber!) { sendMessage(input: {from: $number, to: [$peer], text: "hi"}) { message { id } userErrors { code } } }`, comms.SendMessages, "ok", "NOT_FOUND"},
	{"Mutation.markDelivered", `mutation($message: ID!) { markDelivered(input: {messageIds: [$message]}) { messages { id } userErrors { code } } }`, comms.ReadMessages, "ok", "NOT_FOUND"},
	{"Mutation.blockNumber", `mutation { blockNumber(input: {number: "+999123456789"}) { blockedNumber { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "ok"},
	{"Mutation.unblockNumber", `mutation($blocked: PhoneNumber!) { unblockNumber(input: {number: $blocked}) { blockedNumber { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.claimOperator", `mutation { claimOperator(input: {token: "swo_guess"}) { account { id } userErrors { code } } }`, comms.WriteAccount, "FORBIDDEN", "FORBIDDEN"},
	{"Mutation.setAccountPlan", `mutation($account: ID!) { setAccountPlan(input: {accountId: $account, plan: BUSINESS}) { account { id } userErrors { code } } }`, comms.WriteAccount, "FORBIDDEN", "FORBIDDEN"},
	{"Mutation.placeCall", `mutation($number: ID!) { placeCall(input: {from: $number, to: "+999000000001", message: "hi"}) { call { id } userErrors { code } } }`, comms.PlaceCalls, "ok", "NOT_FOUND"},
	{"Mutation.hangUp", `mutation($call: ID!) { hangUp(input: {callId: $call}) { call { id } userErrors { code } } }`, comms.PlaceCalls, "ok", "NOT_FOUND"},
	{"Mutation.sendDigits", `mutation($call: ID!) { sendDigits(input: {callId: $call, digits: "1#"}) { call { id } userErrors { code } } }`, comms.PlaceCalls, "ok", "NOT_FOUND"},
	{"Mutation.transfer", `mutation($call: ID!) { transfer(input: {callId: $call, to: "+999000000002"}) { call { id } userErrors { code } } }`, comms.PlaceCalls, "ok", "NOT_FOUND"},
	{"Mutation.startRecording", `mutation($call: ID!) { startRecording(input: {callId: $call}) { recording { id } userErrors { code } } }`, comms.PlaceCalls, "ok", "NOT_FOUND"},
	{"Mutation.stopRecording", `mutation($call: ID!) { stopRecording(input: {callId: $call}) { recording { id } userErrors { code } } }`, comms.PlaceCalls, "CONFLICT", "NOT_FOUND"},
	{"Mutation.deleteRecording", `mutation($recording: ID!) { deleteRecording(input: {id: $recording}) { recording { id } userErrors { code } } }`, comms.PlaceCalls, "ok", "NOT_FOUND"},
	{"Mutation.maskNumbers", `mutation($number: ID!) { maskNumbers(input: {numberId: $number, first: "+8613800000003", second: "+8613800000004"}) { mask { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.unmaskNumbers", `mutation($mask: ID!) { unmaskNumbers(input: {id: $mask}) { mask { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.createSipNumber", `mutation { createSipNumber(input: {alias: "kitchen"}) { sipNumber { id } password userErrors { code } } }`, comms.WriteNumbers, "ok", "ok"},
	{"Mutation.updateSipNumber", `mutation($phone: ID!) { updateSipNumber(input: {id: $phone, alias: "x"}) { sipNumber { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.changeSipPassword", `mutation($phone: ID!) { changeSipPassword(input: {id: $phone}) { sipNumber { id } password userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.deleteSipNumber", `mutation($phone: ID!) { deleteSipNumber(input: {id: $phone}) { sipNumber { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.createNumberGroup", `mutation($number: ID!) { createNumberGroup(input: {name: "shop", numberIds: [$number]}) { numberGroup { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.updateNumberGroup", `mutation($group: ID!) { updateNumberGroup(input: {id: $group, name: "shop"}) { numberGroup { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.deleteNumberGroup", `mutation($group: ID!) { deleteNumberGroup(input: {id: $group}) { numberGroup { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.addToNumberGroup", `mutation($group: ID!, $number: ID!) { addToNumberGroup(input: {id: $group, numberIds: [$number]}) { numberGroup { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.removeFromNumberGroup", `mutation($group: ID!, $number: ID!) { removeFromNumberGroup(input: {id: $group, numberIds: [$number]}) { numberGroup { id } userErrors { code } } }`, comms.WriteNumbers, "ok", "NOT_FOUND"},
	{"Mutation.linkCarrier", `mutation { linkCarrier(input: {carrier: OVH}) { carrierLink { id } consentUrl userErrors { code } } }`, comms.WriteAccount, "ok", "ok"},
	{"Mutation.updateCarrierLink", `mutation($link: ID!) { updateCarrierLink(input: {id: $link, importEvery: 600}) { carrierLink { id } userErrors { code } } }`, comms.WriteAccount, "ok", "NOT_FOUND"},
	{"Mutation.unlinkCarrier", `mutation($link: ID!) { unlinkCarrier(input: {id: $link}) { carrierLink { id } userErrors { code } } }`, comms.WriteAccount, "ok", "NOT_FOUND"},
	{"Mutation.importRecords", `mutation($link: ID!) { importRecords(input: {id: $link}) { carrierLink { id } userErrors { code } } }`, comms.WriteAccount, "ok", "NOT_FOUND"},
	{"Mutation.createTrunk", `mutation { createTrunk(input: {name: "carrier", address: "sip.example.com"}) { trunk { id } userErrors { code } } }`, comms.WriteAccount, "FORBIDDEN", "FORBIDDEN"},
	{"Mutation.updateTrunk", `mutation { updateTrunk(input: {id: "x"}) { trunk { id } userErrors { code } } }`, comms.WriteAccount, "FORBIDDEN", "FORBIDDEN"},
	{"Mutation.deleteTrunk", `mutation { deleteTrunk(input: {id: "x"}) { trunk { id } userErrors { code } } }`, comms.WriteAccount, "FORBIDDEN", "FORBIDDEN"},

	{"Subscription.callStatusChanged", `subscription($call: ID!) { callStatusChanged(callId: $call) { cursor } }`, comms.ReadRecords, "ok", "NOT_FOUND"},
	{"Subscription.messageReceived", `subscription($number: ID!) { messageReceived(numberIds: [$number]) { cursor } }`, comms.ReadMessages, "ok", "NOT_FOUND"},
	{"Subscription.events", `subscription { events { cursor kind } }`, comms.ReadEvents, "ok", "ok"},
}

// scene is an account that has one of everything.
type scene struct {
	*kit
	owner, peer, stranger *person
	message               *comms.Message
	token                 *comms.NewApiToken
	session               *comms.LiveSession
	call                  *comms.Call
	recording             *comms.Recording
	mask                  *comms.Mask
	phone                 *call.NewSipNumber
	group                 *comms.NumberGroup
	link                  *comms.CarrierLink
	variables             map[string]any
}

func newScene(k *kit) *scene {
	k.Helper()
	s := &scene{kit: k, owner: k.person(1), peer: k.person(1), stranger: k.person(1)}
	s.message = k.send(s.peer, s.owner.numbers[0], "between the two of us")
	k.send(s.owner, s.peer.numbers[0], "and back")
	s.token = must(k.svc.CreateApiToken(s.owner.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount, TTL: time.Hour, Comment: "of the owner"}))(k)
	must(k.svc.BlockNumber(s.owner.ctx, comms.BlockNumber{Number: "+999000077777"}))(k)
	s.session = must(k.svc.OpenSession(s.owner.ctx, "graphql"))(k)
	s.call = k.placed(s.owner, call.PlaceCall{ClientKey: "an errand", UserData: "flowers"})
	k.answers(s.call)
	s.recording = k.recorded(s.owner, s.call)
	s.mask = k.masked(s.owner, "+8613800000001", "+8613800000002")
	s.phone = must(k.calls.CreateSipNumber(s.owner.ctx, call.CreateSipNumber{Alias: "desk", Rings: []string{s.owner.numbers[0].Number}}))(k)
	s.group = must(k.pools.CreateNumberGroup(s.owner.ctx, pool.CreateNumberGroup{Name: "storefront", NumberIDs: []uuid.UUID{s.owner.numbers[0].ID}}))(k).Group
	s.link = k.linked(s.owner)
	k.tells(10, "0033123456789", "0033987654321")
	k.imports(s.owner)
	must(k.svc.SetMatrixID(s.owner.ctx, "@owner:example.com"))(k)
	s.variables = map[string]any{"group": s.group.ID.String(), "link": s.link.ID.String(), "call": s.call.ID.String(), "recording": s.recording.ID.String(), "mask": s.mask.ID.String(),
		"phone": s.phone.SipNumber.ID.String(), "own": s.owner.numbers[0].Number,
		"number": s.owner.numbers[0].ID.String(), "message": fmt.Sprint(s.message.ID), "token": s.token.Token.ID.String(),
		"account": s.owner.account.ID.String(), "email": s.owner.email, "blocked": "+999000077777", "peer": s.peer.numbers[0].Number}
	return s
}

// secrets are what nobody but the owner may read in an answer.
func (s *scene) secrets() []string {
	key := must(s.svc.ApiKey(s.owner.ctx))(s)
	return []string{s.owner.account.ID.String(), s.owner.email, s.owner.numbers[0].ID.String(), key, s.token.Value, s.token.Token.ID.String(),
		"of the owner", "between the two of us", "and back", s.session.ID().String(), "+999000077777",
		s.call.ID.String(), "an errand", "flowers", s.recording.ID.String(), s.mask.ID.String(), "+8613800000001", "+8613800000002",
		s.phone.SipNumber.ID.String(), s.phone.SipNumber.Number, s.phone.Password, "desk",
		s.group.ID.String(), "storefront", s.link.ID.String(), s.link.Identity, "+33123456789", "+33987654321", "@owner:example.com"}
}

// outcome asks and says in one word what came of it.
func (s *scene) outcome(ctx context.Context, query string) (word string, r reply) {
	s.Helper()
	p := &plan{}
	used := map[string]any{}
	s.variables["fresh"] = uuid.NewString() + "@example.com"
	for name, v := range s.variables {
		if strings.Contains(query, "$"+name+":") {
			used[name] = v
		}
	}
	r = s.ask(withPlan(ctx, p), query, used)
	if p.watcher != nil {
		p.watcher.Close()
	}
	if len(r.Errors) > 0 {
		return fmt.Sprint(r.Errors[0].Extensions["code"]), r
	}
	if r.Data == nil && p.watcher != nil { // a subscription that stands
		return "ok", r
	}
	var data map[string]json.RawMessage
	if err := json.Unmarshal(r.Data, &data); err != nil {
		s.Fatalf("%s: %v", query, err)
	}
	for _, field := range data {
		return wordFor(field), r
	}
	return "nothing", r
}

func wordFor(field json.RawMessage) string {
	var object struct {
		UserErrors []struct{ Code string }
		Nodes      *[]any
	}
	switch {
	case string(field) == "null":
		return "null"
	case string(field) == "[]":
		return "none"
	case json.Unmarshal(field, &object) != nil: // a list
		return "ok"
	case len(object.UserErrors) > 0:
		return object.UserErrors[0].Code
	case object.Nodes != nil && len(*object.Nodes) == 0:
		return "none"
	}
	return "ok"
}

func TestCallersOfRoots(t *testing.T) {
	var rows []string
	for _, r := range rootRows {
		rows = append(rows, r.field)
	}
	s := schema()
	for _, root := range []*ast.Definition{s.Query, s.Mutation, s.Subscription} {
		for _, f := range root.Fields {
			if !strings.HasPrefix(f.Name, "__") && !slices.Contains(rows, root.Name+"."+f.Name) {
				t.Errorf("%s.%s has no row in the table of callers", root.Name, f.Name)
			}
		}
	}
	onBoth(t, func(k *kit) {
		for _, row := range rootRows {
			s := newScene(k)
			anonymous, narrow := "UNAUTHENTICATED", "FORBIDDEN"
			if row.needs == 0 {
				anonymous, narrow = row.owner, row.stranger
			}
			for _, c := range []struct {
				who  string
				ctx  context.Context
				want string
			}{
				{"anonymous", k.Context(), anonymous},
				{"a token without the scope", k.with(s.owner, everything&^row.needs), narrow},
				{"the stranger", s.stranger.ctx, row.stranger},
				{"the owner", s.owner.ctx, row.owner},
			} {
				before := s.secrets()
				got, r := s.outcome(c.ctx, row.ask)
				if got != c.want {
					k.Errorf("%s by %s: %s, want %s: %s %v\n%s", row.field, c.who, got, c.want, r.Data, r.Errors, s.log)
				}
				if c.who == "the owner" || c.want == "ok" && row.needs == 0 {
					continue
				}
				for _, secret := range before {
					if strings.Contains(string(r.Data)+r.Errors.Error(), secret) {
						k.Errorf("%s shows %s to %s: %s", row.field, secret, c.who, r.Data)
					}
				}
			}
		}
	})
}
