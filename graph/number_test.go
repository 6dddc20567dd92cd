package graph

import (
	"regexp"
	"testing"
	"time"
)

type numberSeen struct {
	ID, Number, Alias, Ability, Source, CreatedAt string
	Disabled                                      bool
}

type numberPayload struct {
	Number     *numberSeen
	Replayed   bool
	UserErrors []struct{ Code, Field string }
}

// From the question to the number, and what becomes of it.
func TestLifeOfANumber(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(0)
		var data struct {
			Captcha                                                   struct{ A, B int }
			SolveCaptcha                                              struct{ Token, ExpiresAt string }
			CreateNumber, UpdateNumber, ChangeNumberPIN, DeleteNumber numberPayload
			Number                                                    *numberSeen
			Numbers                                                   struct{ Nodes []numberSeen }
		}
		k.get(k.Context(), `{ captcha { a b question } }`, nil, &data)
		k.get(k.Context(), `mutation($a: Int!, $b: Int!, $c: Int!) { solveCaptcha(input: {a: $a, b: $b, answer: $c}) { token expiresAt userErrors { code } } }`,
			map[string]any{"a": data.Captcha.A, "b": data.Captcha.B, "c": data.Captcha.A + data.Captcha.B}, &data)
		if at, err := time.Parse(time.RFC3339Nano, data.SolveCaptcha.ExpiresAt); err != nil || time.Until(at) > 10*time.Minute || time.Until(at) < 9*time.Minute {
			k.Errorf("the captcha's token ends at %s: %v", data.SolveCaptcha.ExpiresAt, err)
		}
		create := `mutation($t: ID!) { createNumber(input: {alias: "Home", pin: "1234", captchaToken: $t, idempotencyKey: "k"}) { number { id number alias ability source disabled createdAt } replayed userErrors { code field } } }`
		k.get(me.ctx, create, map[string]any{"t": data.SolveCaptcha.Token}, &data)
		n := data.CreateNumber.Number
		if n == nil || n.Alias != "Home" || n.Ability != "BOTH" || n.Source != "VIRTUAL" || n.Disabled || !regexp.MustCompile(`^\+999\d{9}$`).MatchString(n.Number) {
			k.Fatalf("%+v", data.CreateNumber)
		}
		k.get(me.ctx, create, map[string]any{"t": data.SolveCaptcha.Token}, &data)
		if again := data.CreateNumber; !again.Replayed || again.Number.ID != n.ID {
			k.Errorf("the same again: %+v", again)
		}
		id := map[string]any{"id": n.ID}
		k.get(me.ctx, `mutation($id: ID!) { updateNumber(input: {id: $id, alias: "Office"}) { number { id alias } } }`, id, &data)
		k.get(me.ctx, `query($id: ID!) { number(id: $id) { id alias } }`, id, &data)
		if data.UpdateNumber.Number.Alias != "Office" || data.Number.Alias != "Office" {
			k.Errorf("%+v %+v", data.UpdateNumber, data.Number)
		}
		k.get(me.ctx, `mutation($id: ID!) { changeNumberPin(input: {id: $id, currentPin: "1234", newPin: "987654"}) { number { id } userErrors { code } } }`, id, &data)
		if data.ChangeNumberPIN.Number == nil {
			k.Errorf("%+v", data.ChangeNumberPIN)
		}
		// A token that may change numbers, and not see them, changes the PIN all the same.
		blind := k.with(me, everything&^(1<<2))
		k.get(blind, `mutation($id: ID!) { changeNumberPin(input: {id: $id, currentPin: "987654", newPin: "1111"}) { number { id } userErrors { code } } }`, id, &data)
		if p := data.ChangeNumberPIN; p.Number != nil || len(p.UserErrors) != 0 {
			k.Errorf("%+v", p)
		}
		k.get(me.ctx, `mutation($id: ID!) { deleteNumber(input: {id: $id}) { number { id number } } }`, id, &data)
		if data.DeleteNumber.Number.Number != n.Number {
			k.Errorf("%+v", data.DeleteNumber)
		}
		data.Number = nil
		k.get(me.ctx, `query($id: ID!) { number(id: $id) { id } numbers { nodes { id } } }`, id, &data)
		if data.Number != nil || len(data.Numbers.Nodes) != 0 {
			k.Errorf("it is still there: %+v %+v", data.Number, data.Numbers)
		}
	})
}

func TestBlocking(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, a := k.person(1), k.person(1)
		var data struct {
			BlockNumber, UnblockNumber struct {
				BlockedNumber *struct{ ID, Number string }
				Replayed      bool
			}
			BlockedNumbers struct{ Nodes []struct{ Number string } }
		}
		block := `mutation($n: PhoneNumber!) { blockNumber(input: {number: $n, idempotencyKey: "b"}) { blockedNumber { id number } replayed } }`
		vars := map[string]any{"n": a.numbers[0].Number}
		k.get(me.ctx, block, vars, &data)
		first := data.BlockNumber.BlockedNumber.ID
		k.get(me.ctx, block, vars, &data)
		if !data.BlockNumber.Replayed || data.BlockNumber.BlockedNumber.ID != first {
			k.Errorf("%+v", data.BlockNumber)
		}
		in := map[string]any{"from": a.numbers[0].ID.String(), "to": []any{me.numbers[0].Number}, "text": "hi"}
		if out := k.sendBy(a, in).SendMessage; len(out.UserErrors) != 1 || out.UserErrors[0].Code != "BLOCKED" {
			k.Errorf("%+v", out)
		}
		k.get(me.ctx, `{ blockedNumbers { nodes { number } } }`, nil, &data)
		if n := data.BlockedNumbers.Nodes; len(n) != 1 || n[0].Number != a.numbers[0].Number {
			k.Errorf("%+v", n)
		}
		k.get(me.ctx, `mutation($n: PhoneNumber!) { unblockNumber(input: {number: $n}) { blockedNumber { id } } }`, vars, &data)
		if out := k.sendBy(a, in).SendMessage; data.UnblockNumber.BlockedNumber.ID != first || len(out.UserErrors) != 0 {
			k.Errorf("%+v %+v", data.UnblockNumber, out)
		}
	})
}
