package graph

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
)

// engine carries no call: it takes what it is told, and the test reports what becomes of it. What a real one does is shown end to end
// (calls_test.go at the top).
type engine struct {
	folder string
	mu     sync.Mutex
	orders []call.Order
}

func (e *engine) Dial(context.Context, *call.Verdict) error { return nil }

// Order writes recordings where the real one would: 44 bytes of head, which the rules mend, and half a second of silence.
func (e *engine) Order(_ context.Context, _ uuid.UUID, o call.Order) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.orders = append(e.orders, o)
	if o.StartRecord != nil {
		return os.WriteFile(e.file(o.StartRecord.Recording), make([]byte, 44+4*4000), 0o600)
	}
	return nil
}

func (e *engine) file(recording uuid.UUID) string {
	return filepath.Join(e.folder, recording.String()+".wav")
}

func (e *engine) last(t testing.TB) call.Order {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.orders) == 0 {
		t.Fatal("the engine was ordered nothing")
	}
	return e.orders[len(e.orders)-1]
}

// speaker speaks every language but Klingon.
type speaker struct{}

func (speaker) Speaks(lang string) bool { return lang != "tlh" }

// placed is a call of the person's first number to the test world.
func (k *kit) placed(p *person, in call.PlaceCall) *comms.Call {
	k.Helper()
	if in.From == uuid.Nil && in.Message == "" {
		in.From = p.numbers[0].ID
	}
	if in.To == "" {
		in.To = "+999000000001"
	}
	return must(k.calls.PlaceCall(p.ctx, in))(k).Call
}

// rings and answers report what the engine would.
func (k *kit) rings(c *comms.Call) {
	k.Helper()
	if err := k.calls.CallRinging(k.Context(), c.ConversationID); err != nil {
		k.Fatal(err)
	}
}

func (k *kit) answers(c *comms.Call) {
	k.Helper()
	k.rings(c)
	if err := k.calls.CallAnswered(k.Context(), c.ConversationID); err != nil {
		k.Fatal(err)
	}
}

func (k *kit) ends(c *comms.Call, how call.End) {
	k.Helper()
	if err := k.calls.CallEnded(k.Context(), c.ConversationID, how); err != nil {
		k.Fatal(err)
	}
}

// hungUp is how calls end.
var hungUp = call.End{Why: call.WhyHungUp, By: call.ByCallee, Status: 200, Cause: 16}

// recorded is a recording of an answered call that can be fetched.
func (k *kit) recorded(p *person, c *comms.Call) *comms.Recording {
	k.Helper()
	rec := must(k.calls.StartRecording(p.ctx, c.ID))(k)
	must(k.calls.StopRecording(p.ctx, c.ID))(k)
	if err := k.calls.RecordingEnded(k.Context(), rec.ID, call.Recorded{File: k.sip.file(rec.ID)}); err != nil {
		k.Fatal(err)
	}
	return rec
}

// masked is a mask on the person's first number.
func (k *kit) masked(p *person, first, second string) *comms.Mask {
	k.Helper()
	return must(k.calls.MaskNumbers(p.ctx, call.MaskNumbers{Kind: "axb", NumberID: p.numbers[0].ID, First: first, Second: second, UserData: "an order"}))(k).Mask
}
