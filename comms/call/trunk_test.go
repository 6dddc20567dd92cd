package call

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"switchboard/comms"
)

// wish is a trunk as an operator writes it.
func wish() comms.TrunkWish {
	return comms.TrunkWish{Address: new("sip.example.com"), Username: new("u"), Password: new("secret"), Register: new(true),
		Prefixes: []string{"+86"}, Sources: []string{"192.0.2.1"}}
}

func (o *office) lines() string {
	o.Helper()
	lines, err := o.calls.Trunks(o.Context())
	if err != nil {
		o.Fatal(err)
	}
	var out []string
	for _, l := range lines {
		out = append(out, fmt.Sprint(l.Name, "=", l.Address, "/", l.Password, l.Prefixes, l.Sources))
	}
	return fmt.Sprint(out)
}

func TestTrunks(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		told := 0
		o.calls.OnTrunksChanged(func() { told++ })
		in := CreateTrunk{Name: "a", TrunkWish: wish(), IdempotencyKey: "k"}
		made, err := o.calls.CreateTrunk(o.master, in)
		if err != nil || made.Replayed {
			o.Fatalf("%+v, %v", made, err)
		}
		if again, err := o.calls.CreateTrunk(o.master, in); err != nil || !again.Replayed || again.Trunk.ID != made.Trunk.ID || told != 1 {
			o.Errorf("%+v, %v, told %d times", again, err, told)
		}
		if bytes.Contains(made.Trunk.PasswordSealed, []byte("secret")) {
			o.Error("its password lies open")
		}
		if got := o.lines(); got != "[a=sip.example.com/secret[86] [192.0.2.1/32]]" {
			o.Errorf("there is %s", got)
		}
		in.IdempotencyKey = ""
		_, err = o.calls.CreateTrunk(o.master, in)
		o.is("another of that name", err, "CONFLICT name")
		id := made.Trunk.ID
		if _, err := o.calls.UpdateTrunk(o.master, UpdateTrunk{ID: id, TrunkWish: comms.TrunkWish{Password: new("other"), Prefixes: []string{"1"}}}); err != nil || told != 2 {
			o.Errorf("%v, told %d times", err, told)
		}
		if got := o.lines(); got != "[a=sip.example.com/other[1] [192.0.2.1/32]]" {
			o.Errorf("there is %s", got)
		}
		if _, err := o.calls.UpdateTrunk(o.master, UpdateTrunk{ID: id}); err != nil || told != 2 {
			o.Errorf("a change of nothing: %v, told %d times", err, told)
		}
		_, err = o.calls.UpdateTrunk(o.master, UpdateTrunk{ID: id, TrunkWish: comms.TrunkWish{Username: new("")}})
		o.is("REGISTER without a name", err, "INVALID username")
		if _, err := o.calls.UpdateTrunk(o.master, UpdateTrunk{ID: id, TrunkWish: comms.TrunkWish{Disabled: new(true)}}); err != nil || told != 3 || o.lines() != "[]" {
			o.Errorf("%v, told %d times, %s", err, told, o.lines())
		}
		if list, err := o.calls.ListTrunks(o.master, comms.Page{}); err != nil || len(list.Items) != 1 || !list.Items[0].Disabled {
			o.Errorf("%+v, %v", list, err)
		}
		if gone, err := o.calls.DeleteTrunk(o.master, id); err != nil || gone.Name != "a" {
			o.Errorf("%+v, %v", gone, err)
		}
		_, err = o.calls.Trunk(o.master, id)
		o.is("a deleted one", err, "NOT_FOUND id")
	})
}

func TestOnlyTheOperatorHasTrunks(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		made, err := o.calls.CreateTrunk(o.master, CreateTrunk{Name: "a", TrunkWish: wish()})
		if err != nil {
			o.Fatal(err)
		}
		id := made.Trunk.ID
		for name, do := range map[string]func(ctx context.Context) error{
			"create": func(ctx context.Context) error {
				_, err := o.calls.CreateTrunk(ctx, CreateTrunk{Name: "b", TrunkWish: wish()})
				return err
			},
			"update": func(ctx context.Context) error {
				_, err := o.calls.UpdateTrunk(ctx, UpdateTrunk{ID: id, TrunkWish: comms.TrunkWish{Address: new("evil.example.com")}})
				return err
			},
			"delete": func(ctx context.Context) error { _, err := o.calls.DeleteTrunk(ctx, id); return err },
			"list":   func(ctx context.Context) error { _, err := o.calls.ListTrunks(ctx, comms.Page{}); return err },
			"count":  func(ctx context.Context) error { _, err := o.calls.CountTrunks(ctx); return err },
			"read":   func(ctx context.Context) error { _, err := o.calls.Trunk(ctx, id); return err },
		} {
			o.is("an account: "+name, do(o.ctx), "FORBIDDEN")
			o.is("nobody: "+name, do(o.Context()), "UNAUTHENTICATED")
		}
		if got := o.lines(); got != "[a=sip.example.com/secret[86] [192.0.2.1/32]]" {
			o.Errorf("there is %s", got)
		}
	})
}

// What another process changed, as `switchboard provision` is one beside a server, is noticed; what is the same is not told.
func TestTrunksOfAnotherProcess(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		told := 0
		o.calls.OnTrunksChanged(func() { told++ })
		provision := func(w comms.TrunkWish) {
			if _, err := o.svc.Provision(o.Context(), comms.Provision{Trunks: []comms.ProvisionTrunk{{Name: "a", TrunkWish: w}}}); err != nil {
				o.Fatal(err)
			}
			o.calls.trunksChanged(o.Context())
		}
		for i, want := range []int{1, 1, 2} {
			w := wish()
			if i == 2 {
				w.Password = new("other")
			}
			if provision(w); told != want {
				o.Errorf("after %d: told %d times", i, told)
			}
		}
	})
}
