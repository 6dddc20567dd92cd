package graph

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/carrier"
	"switchboard/comms/mail"
)

// The table of refusals: what a mutation tells of each thing that can be wrong with its input.
type refusalRow struct {
	name     string
	mutation string // the field with its input, over the variables of scene
	want     string // code and path
}

var refusalRows = []refusalRow{
	{"no address", `register(input: {email: "nobody", password: "correct horse"})`, "INVALID input.email"},
	{"a short password", `register(input: {email: "a@example.com", password: "short"})`, "INVALID input.password"},
	{"a taken email", `register(input: {email: $email, password: "correct horse"})`, "EMAIL_TAKEN input.email"},
	{"a key that is none", `register(input: {email: "b@example.com", password: "correct horse", idempotencyKey: "\u0007"})`, "INVALID input.idempotencyKey"},
	{"a wrong password", `login(input: {email: $email, password: "wrong horse"})`, "UNAUTHENTICATED input.password"},
	{"an unknown email", `login(input: {email: "none@example.com", password: "correct horse"})`, "UNAUTHENTICATED input.password"},
	{"no Matrix ID", `setMatrixId(input: {matrixId: "me"})`, "INVALID input.matrixId"},
	{"a used key", `regenerateApiKey(input: {idempotencyKey: "used"})`, "IDEMPOTENCY_KEY_REUSED input.idempotencyKey"},
	{"no scope", `createApiToken(input: {scopes: []})`, "INVALID input.scopes"},
	{"a long comment", `createApiToken(input: {scopes: [ACCOUNT_READ], comment: "` + strings.Repeat("x", 256) + `"})`, "INVALID input.comment"},
	{"a time past all bounds", `createApiToken(input: {scopes: [ACCOUNT_READ], ttl: 2147483647})`, "ok"},
	{"another's token", `revokeApiToken(input: {id: $foreignToken})`, "NOT_FOUND input.id"},
	{"a malformed id", `revokeApiToken(input: {id: "x"})`, "NOT_FOUND input.id"},
	{"a captcha never asked", `solveCaptcha(input: {a: 1000, b: 1000, answer: 2000})`, "CAPTCHA input.a"},
	{"a wrong answer", `solveCaptcha(input: {a: $a, b: $b, answer: -1})`, "WRONG_ANSWER input.answer"},
	{"a captcha that is spent", `solveCaptcha(input: {a: $a, b: $b, answer: -1})`, "CAPTCHA input.a"},
	{"no captcha token", `createNumber(input: {pin: "1234", captchaToken: "x"})`, "CAPTCHA input.captchaToken"},
	{"an unknown captcha token", `createNumber(input: {pin: "1234", captchaToken: $stranger})`, "CAPTCHA input.captchaToken"},
	{"a PIN of letters", `createNumber(input: {pin: "abcd", captchaToken: "x"})`, "INVALID input.pin"},
	{"a long alias", `createNumber(input: {alias: "` + strings.Repeat("x", 65) + `", pin: "1234", captchaToken: "x"})`, "INVALID input.alias"},
	{"another's number", `updateNumber(input: {id: $stranger, alias: "x"})`, "NOT_FOUND input.id"},
	{"a malformed id of a number", `updateNumber(input: {id: "{` + uuid.Nil.String() + `}", alias: "x"})`, "NOT_FOUND input.id"},
	{"no such alias", `updateNumber(input: {id: $number, alias: "a\nb"})`, "INVALID input.alias"},
	{"a wrong PIN", `changeNumberPin(input: {id: $number, currentPin: "9999", newPin: "1111"})`, "WRONG_PIN input.currentPin"},
	{"a bad new PIN", `changeNumberPin(input: {id: $number, currentPin: "1234", newPin: "1"})`, "INVALID input.newPin"},
	{"PIN of another's number", `changeNumberPin(input: {id: $stranger, currentPin: "1234", newPin: "1111"})`, "NOT_FOUND input.id"},
	{"deleting another's number", `deleteNumber(input: {id: $stranger})`, "NOT_FOUND input.id"},
	{"from another's number", `sendMessage(input: {from: $stranger, to: [$peer], text: "x"})`, "NOT_FOUND input.from"},
	{"from no id", `sendMessage(input: {from: "+1", to: [$peer], text: "x"})`, "NOT_FOUND input.from"},
	{"to nobody", `sendMessage(input: {from: $number, to: [], text: "x"})`, "INVALID input.to"},
	{"to no number", `sendMessage(input: {from: $number, to: ["hello"], text: "x"})`, "INVALID input.to"},
	{"to a number that isn't here", `sendMessage(input: {from: $number, to: [$peer, "+999000099999"], text: "x"})`, "NOT_FOUND input.to"},
	{"to one who refuses", `sendMessage(input: {from: $number, to: [$peer, $blocker], text: "x"})`, "BLOCKED input.to"},
	{"neither text nor file", `sendMessage(input: {from: $number, to: [$peer]})`, "INVALID input.text"},
	{"a short name", `sendMessage(input: {from: $number, to: [$peer], text: "x", fromName: "x"})`, "INVALID input.fromName"},
	{"a short file name", `sendMessage(input: {from: $number, to: [$peer], text: "x", fileName: "x"})`, "INVALID input.fileName"},
	{"a used key", `sendMessage(input: {from: $number, to: [$peer], text: "x", idempotencyKey: "used"})`, "IDEMPOTENCY_KEY_REUSED input.idempotencyKey"},
	{"a message that one sent", `markDelivered(input: {messageIds: [$sent]})`, "NOT_FOUND input.messageIds"},
	{"a malformed message id", `markDelivered(input: {messageIds: [$message, "0x1"]})`, "NOT_FOUND input.messageIds"},
	{"no message", `markDelivered(input: {messageIds: []})`, "INVALID input.messageIds"},
	{"no number to block", `blockNumber(input: {number: "12"})`, "INVALID input.number"},
	{"not blocked", `unblockNumber(input: {number: "+999000012345"})`, "NOT_FOUND input.number"},
	{"a call from another's number", `placeCall(input: {from: $stranger, to: "+999000000001"})`, "NOT_FOUND input.from"},
	{"a call from a malformed id", `placeCall(input: {from: "x", to: "+999000000001", message: "hi"})`, "NOT_FOUND input.from"},
	{"a call from nobody", `placeCall(input: {to: "+999000000001"})`, "INVALID input.from"},
	{"a call to nobody", `placeCall(input: {from: $number, to: " "})`, "INVALID input.to"},
	{"a call to no number", `placeCall(input: {from: $number, to: "hello"})`, "NOT_FOUND input.to"},
	{"a call to where no line goes", `placeCall(input: {from: $number, to: "+4930123456"})`, "FORBIDDEN input.to"},
	{"a message to two sides", `placeCall(input: {from: $number, first: "+999000000002", to: "+999000000001", message: "hi"})`, "INVALID input.first"},
	{"a long message", `placeCall(input: {to: "+999000000001", message: "` + strings.Repeat("x", 2001) + `"})`, "INVALID input.message"},
	{"a short ring", `placeCall(input: {from: $number, to: "+999000000001", ringFor: 14})`, "INVALID input.ringFor"},
	{"a long call", `placeCall(input: {from: $number, to: "+999000000001", maxDuration: 14401})`, "INVALID input.maxDuration"},
	{"a call with a used key", `placeCall(input: {from: $number, to: "+999000000001", idempotencyKey: "used"})`, "IDEMPOTENCY_KEY_REUSED input.idempotencyKey"},
	{"no call to hang up", `hangUp(input: {callId: "x"})`, "NOT_FOUND input.callId"},
	{"keys that are none", `sendDigits(input: {callId: $call, digits: "12x"})`, "INVALID input.digits"},
	{"keys to no call", `sendDigits(input: {callId: "x", digits: "1"})`, "NOT_FOUND input.callId"},
	{"keys to a call that rings", `sendDigits(input: {callId: $ringing, digits: "1"})`, "CONFLICT input.callId"},
	{"a transfer to no number", `transfer(input: {callId: $call, to: "hello"})`, "NOT_FOUND input.to"},
	{"a transfer of a call that rings", `transfer(input: {callId: $ringing, to: "+999000000002"})`, "CONFLICT input.callId"},
	{"recording a call that rings", `startRecording(input: {callId: $ringing})`, "CONFLICT input.callId"},
	{"ending no recording", `stopRecording(input: {callId: $call})`, "CONFLICT input.callId"},
	{"no recording to remove", `deleteRecording(input: {id: "x"})`, "NOT_FOUND input.id"},
	{"no party", `maskNumbers(input: {first: "x", second: "+8613800000004"})`, "INVALID input.first"},
	{"one party of two", `maskNumbers(input: {first: "+8613800000003"})`, "INVALID input.second"},
	{"two parties of one", `maskNumbers(input: {kind: AX, first: "+8613800000003", second: "+8613800000004"})`, "INVALID input.second"},
	{"a mask on another's number", `maskNumbers(input: {numberId: $stranger, first: "+8613800000003", second: "+8613800000004"})`, "NOT_FOUND input.numberId"},
	{"a mask on a malformed id", `maskNumbers(input: {numberId: "x", first: "+8613800000003", second: "+8613800000004"})`, "NOT_FOUND input.numberId"},
	{"a mask that is taken", `maskNumbers(input: {numberId: $number, first: "+8613800000001", second: "+8613800000004"})`, "NO_NUMBER_FREE input.numberId"},
	{"two ends of a mask", `maskNumbers(input: {first: "+8613800000003", second: "+8613800000004", ttl: 60, expiresAt: "2126-01-01T00:00:00Z"})`, "INVALID input.ttl"},
	{"an end that is over", `maskNumbers(input: {first: "+8613800000003", second: "+8613800000004", expiresAt: "2006-01-01T00:00:00Z"})`, "INVALID input.expiresAt"},
	{"no mask to end", `unmaskNumbers(input: {id: "x"})`, "NOT_FOUND input.id"},
	{"a telephone of letters", `createSipNumber(input: {number: "desk"})`, "INVALID input.number"},
	{"a telephone that is there", `createSipNumber(input: {number: $phoneNumber})`, "CONFLICT input.number"},
	{"a short SIP password", `createSipNumber(input: {password: "short"})`, "INVALID input.password"},
	{"a telephone that rings for nothing sensible", `createSipNumber(input: {rings: ["x"]})`, "INVALID input.rings[0]"},
	{"another's telephone", `updateSipNumber(input: {id: $number, alias: "x"})`, "NOT_FOUND input.id"},
	{"a new password that is short", `changeSipPassword(input: {id: $phone, password: "short"})`, "INVALID input.password"},
	{"no telephone to delete", `deleteSipNumber(input: {id: "x"})`, "NOT_FOUND input.id"},
	{"no address to mail to", `registerByMail(input: {email: "nobody", password: "correct horse"})`, "INVALID input.email"},
	{"a short password by mail", `registerByMail(input: {email: "a@example.com", password: "short"})`, "INVALID input.password"},
	{"a taken email by mail", `registerByMail(input: {email: $email, password: "correct horse"})`, "EMAIL_TAKEN input.email"},
	{"an account to be activated", `login(input: {email: $dormant, password: "correct horse"})`, "NOT_ACTIVATED input.email"},
	{"a wrong password of an account to be activated", `login(input: {email: $dormant, password: "wrong horse"})`, "UNAUTHENTICATED input.password"},
	{"a group without a name", `createNumberGroup(input: {name: ""})`, "INVALID input.name"},
	{"a group of a long name", `createNumberGroup(input: {name: "` + strings.Repeat("x", 65) + `"})`, "INVALID input.name"},
	{"a group that is there", `createNumberGroup(input: {name: "storefront"})`, "CONFLICT input.name"},
	{"a group of another's number", `createNumberGroup(input: {name: "shop", numberIds: [$number, $stranger]})`, "NOT_FOUND input.numberIds"},
	{"a group of a malformed id", `createNumberGroup(input: {name: "shop", numberIds: ["x"]})`, "NOT_FOUND input.numberIds"},
	{"a group with a used key", `createNumberGroup(input: {name: "shop", idempotencyKey: "used"})`, "IDEMPOTENCY_KEY_REUSED input.idempotencyKey"},
	{"no group to change", `updateNumberGroup(input: {id: "x", name: "shop"})`, "NOT_FOUND input.id"},
	{"a name with a line break", `updateNumberGroup(input: {id: $group, name: "a\nb"})`, "INVALID input.name"},
	{"no group to delete", `deleteNumberGroup(input: {id: $number})`, "NOT_FOUND input.id"},
	{"no group to add to", `addToNumberGroup(input: {id: "x", numberIds: [$number]})`, "NOT_FOUND input.id"},
	{"another's number in a group", `addToNumberGroup(input: {id: $group, numberIds: [$stranger]})`, "NOT_FOUND input.numberIds"},
	{"another's number out of a group", `removeFromNumberGroup(input: {id: $group, numberIds: [$stranger]})`, "NOT_FOUND input.numberIds"},
	{"a call of no group", `placeCall(input: {groupId: "x", to: "+999000000001"})`, "NOT_FOUND input.groupId"},
	{"a call of an unknown group", `placeCall(input: {groupId: $number, to: "+999000000001"})`, "NOT_FOUND input.groupId"},
	{"a call of a number and a group", `placeCall(input: {from: $number, groupId: $group, to: "+999000000001"})`, "INVALID input.from"},
	{"a link with a used key", `linkCarrier(input: {carrier: OVH, idempotencyKey: "used"})`, "IDEMPOTENCY_KEY_REUSED input.idempotencyKey"},
	{"an import too often", `updateCarrierLink(input: {id: $link, importEvery: 59})`, "INVALID input.importEvery"},
	{"an import too seldom", `updateCarrierLink(input: {id: $link, importEvery: 2592001})`, "INVALID input.importEvery"},
	{"no link to change", `updateCarrierLink(input: {id: "x", importEvery: 60})`, "NOT_FOUND input.id"},
	{"no link to remove", `unlinkCarrier(input: {id: $number})`, "NOT_FOUND input.id"},
	{"no link to import by", `importRecords(input: {id: "x"})`, "NOT_FOUND input.id"},
	{"an import without consent", `importRecords(input: {id: $pending})`, "NOT_CONSENTED input.id"},
	{"no operator token", `claimOperator(input: {token: "guess"})`, "FORBIDDEN input.token"},
}

// inputTypes are the types of the variables that the rows use.
var inputTypes = map[string]string{"email": "String!", "foreignToken": "ID!", "a": "Int!", "b": "Int!", "stranger": "ID!", "number": "ID!", "peer": "PhoneNumber!",
	"blocker": "PhoneNumber!", "sent": "ID!", "message": "ID!", "call": "ID!", "ringing": "ID!", "phone": "ID!", "phoneNumber": "String!",
	"dormant": "String!", "group": "ID!", "link": "ID!", "pending": "ID!"}

func TestRefusals(t *testing.T) {
	onBoth(t, func(k *kit) {
		s := newScene(k)
		must(k.svc.BlockNumber(s.stranger.ctx, comms.BlockNumber{Number: s.owner.numbers[0].Number}))(k)
		must(k.svc.BlockNumber(s.owner.ctx, comms.BlockNumber{Number: "+999000088888", IdempotencyKey: "used"}))(k)
		foreign := must(k.svc.CreateApiToken(s.stranger.ctx, comms.CreateApiToken{Scopes: comms.ReadAccount}))(k)
		q := must(k.svc.AskCaptcha(k.Context()))(k)
		sent := k.send(s.owner, s.peer.numbers[0], "sent")
		ringing := k.placed(s.owner, call.PlaceCall{})
		k.rings(ringing)
		must(k.mails.RegisterByMail(k.Context(), mail.RegisterByMail{Email: "dormant@example.com", Password: "correct horse", Base: "https://sb.example"}))(k)
		pending := must(k.carriers.LinkCarrier(s.owner.ctx, carrier.LinkCarrier{Carrier: "ovh", Base: "https://sb.example"}))(k)
		for name, v := range map[string]any{"dormant": "dormant@example.com", "pending": pending.Link.ID.String(), "foreignToken": foreign.Token.ID.String(), "a": q.A, "b": q.B, "stranger": s.stranger.numbers[0].ID.String(),
			"blocker": s.stranger.numbers[0].Number, "sent": fmt.Sprint(sent.ID),
			"ringing": ringing.ID.String(), "phoneNumber": s.phone.SipNumber.Number} {
			s.variables[name] = v
		}
		for _, row := range refusalRows {
			if got := s.refusal(row.mutation); got != row.want {
				k.Errorf("%s: %s: %s, want %s", row.name, row.mutation, got, row.want)
			}
		}
	})
}

// refusal asks as the owner and says which user error came.
func (s *scene) refusal(mutation string) string {
	s.Helper()
	var head []string
	used := map[string]any{}
	for name, v := range s.variables {
		if strings.Contains(mutation, "$"+name+",") || strings.Contains(mutation, "$"+name+"}") || strings.Contains(mutation, "$"+name+"]") {
			head = append(head, "$"+name+": "+inputTypes[name])
			used[name] = v
		}
	}
	query := "mutation"
	if len(head) > 0 {
		query += "(" + strings.Join(head, ", ") + ")"
	}
	r := s.ask(s.owner.ctx, query+" { x: "+mutation+" { userErrors { code field message } } }", used)
	if len(r.Errors) > 0 {
		return "top level: " + r.Errors.Error()
	}
	var data struct {
		X struct {
			UserErrors []struct{ Code, Field, Message string }
		}
	}
	if err := json.Unmarshal(r.Data, &data); err != nil {
		s.Fatal(err)
	}
	switch len(data.X.UserErrors) {
	case 0:
		return "ok"
	case 1:
		e := data.X.UserErrors[0]
		if e.Message == "" {
			s.Errorf("%s: no message", mutation)
		}
		return e.Code + " " + e.Field
	}
	return fmt.Sprint(data.X.UserErrors)
}

// What is refused as a whole is no user error: its data is null, and the code says what a program does next.
func TestRefusedAsAWhole(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(5)
		var ask struct {
			Captcha      struct{ A, B int }
			SolveCaptcha struct{ Token string }
			CreateNumber struct {
				UserErrors []struct{ Code, Field string }
			}
		}
		k.get(me.ctx, `{ captcha { a b } }`, nil, &ask)
		k.get(me.ctx, `mutation($a: Int!, $b: Int!, $c: Int!) { solveCaptcha(input: {a: $a, b: $b, answer: $c}) { token } }`,
			map[string]any{"a": ask.Captcha.A, "b": ask.Captcha.B, "c": ask.Captcha.A + ask.Captcha.B}, &ask)
		k.get(me.ctx, `mutation($t: ID!) { createNumber(input: {pin: "1234", captchaToken: $t}) { userErrors { code field } } }`,
			map[string]any{"t": ask.SolveCaptcha.Token}, &ask)
		if got := fmt.Sprint(ask.CreateNumber.UserErrors); got != "[{NUMBER_LIMIT input}]" {
			k.Errorf("a sixth number: %s", got)
		}
		for query, code := range map[string]string{
			`mutation { setAccountPlan(input: {accountId: "x", plan: FREE}) { userErrors { code } } }`: "FORBIDDEN",
			`{ messages(filter: {numberIds: ["x"]}) { nodes { id } } }`:                                "NOT_FOUND",
			`{ messages(filter: {peer: "x"}) { nodes { id } } }`:                                       "INVALID",
			`{ callRecords(filter: {numbers: {anyOf: [""]}}) { nodes { id } } }`:                       "INVALID",
			`{ callRecords(filter: {minDuration: -1}) { nodes { id } } }`:                              "INVALID",
			`{ messages(filter: {since: "yesterday"}) { nodes { id } } }`:                              badInput,
			`mutation { createApiToken(input: {scopes: [ACCOUNT_READ], ttl: -1}) { value } }`:          badInput,
		} {
			r := k.ask(me.ctx, query, nil)
			if len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != code || string(r.Data) != "null" {
				k.Errorf("%s: %s %v, want %s", query, r.Data, r.Errors, code)
			}
		}
	})
}
