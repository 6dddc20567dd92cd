package comms_test

import (
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
)

// A number that was deleted and provisioned again can be deleted again.
func TestDeleteAgain(t *testing.T) {
	onBoth(t, func(w *world) {
		wish := comms.Provision{Accounts: []comms.ProvisionAccount{{Email: "p@example.com", Password: "correct horse",
			Numbers: []comms.ProvisionNumber{{Number: "+33123456789"}}}}}
		for range 2 {
			there, err := w.svc.Provision(t.Context(), wish)
			if err != nil {
				t.Fatal(err)
			}
			n := there.Accounts[0].Numbers[0]
			ctx := comms.WithActor(t.Context(), &comms.Actor{AccountID: n.AccountID, Scopes: comms.WriteNumbers})
			if _, err := w.svc.DeleteNumber(ctx, n.ID); err != nil {
				t.Error(err)
			}
		}
	})
}

// A device is forgotten, and its push token with it, when its last number is deleted.
func TestDeviceGoesWithItsNumbers(t *testing.T) {
	onBoth(t, func(w *world) {
		a := w.side(2)
		in := comms.RegisterDevice{AppID: "app", Build: "b1", Name: "phone", Locale: "en", Token: "push token", Numbers: ids(a)}
		if _, err := w.svc.RegisterDevice(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		for i, left := range []int{1, 0} {
			if _, err := w.svc.DeleteNumber(a.ctx, a.numbers[i].ID); err != nil {
				t.Fatal(err)
			}
			if n := w.count(func(db *ent.Client) (int, error) { return db.Device.Query().Count(t.Context()) }); n != left {
				t.Errorf("%d devices are left, want %d", n, left)
			}
		}
		if _, err := w.svc.RegisterDevice(t.Context(), in); refusal(err) != "NOT_FOUND uuid" {
			t.Error(err)
		}
		in.Numbers = []uuid.UUID{}
		if _, err := w.svc.RegisterDevice(t.Context(), in); err != nil {
			t.Error(err)
		}
	})
}
