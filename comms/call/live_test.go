package call

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// times are so many instants.
func times(n int) []clock.Micros { return make([]clock.Micros, n) }

// A ringing that is noted only after the answer doesn't make the watchdog end a call whose sides talk.
func TestLateRingingIsNoStepBack(t *testing.T) {
	r, f := newRegistry(), &facts{At: clock.Now(), Call: uuid.New()}
	r.admit(f, question{}, func(f *facts) *decision {
		return &decision{f: f, Records: []*comms.Call{{ID: f.Call}}, Verdict: Verdict{Call: f.Call, Second: &Leg{RingFor: time.Minute}, MaxDuration: time.Hour}}
	})
	r.moved(f.Call, call.StatusAnswered, f.At)
	r.moved(f.Call, call.StatusRinging, f.At)
	if late := r.overdue(f.At.Add(10 * time.Minute)); len(late) != 0 {
		t.Errorf("ended because of %q", late[0].end.Why)
	}
	if late := r.overdue(f.At.Add(2 * time.Hour)); len(late) != 1 || late[0].end.Why != WhyTooLong {
		t.Errorf("after the longest duration: %v", late)
	}
}
