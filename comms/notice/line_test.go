package notice

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/follower"
)

func deviceOf(service string) *comms.Follower {
	return &comms.Follower{ID: uuid.New(), Channel: follower.ChannelPush, Address: service}
}

func long(int) time.Duration { return time.Hour }

// A service that failed is left alone, whatever comes of those who did not speak with it: who waits for it is sent away until then.
func TestAServiceThatFailedIsLeftAlone(t *testing.T) {
	l := newLine()
	first, second := deviceOf("fcm"), deviceOf("fcm")
	l.add(first)
	l.add(second)
	a, b := l.next(time.Now()), l.next(time.Now())
	failed := &Failure{Problem: Away, Service: true}
	if _, until := l.done(a, outcome{failed: failed}, long); time.Until(until) < time.Minute {
		t.Fatalf("it is left alone until %s", until)
	}
	if _, until := l.done(b, outcome{}, long); time.Until(until) < time.Minute {
		t.Error("somebody who had nothing to say has it asked again")
	}
	if rest := l.add(first); rest.why != Away || time.Until(rest.until) < time.Minute {
		t.Errorf("who comes while it is left alone waits in line: %+v", rest)
	}
	if j := l.next(time.Now().Add(2 * time.Hour)); j != nil {
		t.Error("somebody waits who was sent away")
	}
	l.services["push fcm"].until = time.Time{}
	l.add(second)
	if _, until := l.done(l.next(time.Now()), outcome{spoke: true}, long); !until.IsZero() || l.services["push fcm"] != nil {
		t.Errorf("it is back, and left alone until %s", until)
	}
}

// However many services strangers name, and however long those hang, there is a turn for who is told by the operator's own.
func TestStrangersDoNotTakeAllTurns(t *testing.T) {
	l := newLine()
	for i := range 2 * atOnce {
		l.add(deviceOf(fmt.Sprintf("//host%d.example", i)))
	}
	turns := 0
	for l.next(time.Now()) != nil {
		turns++
	}
	if turns != ofStrangers {
		t.Errorf("%d turns of strangers' services at once", turns)
	}
	for _, f := range []*comms.Follower{deviceOf("fcm"), deviceOf("apns"), {ID: uuid.New(), Channel: follower.ChannelMatrix}} {
		l.add(f)
		if j := l.next(time.Now()); j == nil || j.follower != f.ID {
			t.Errorf("no turn for %s", serviceOf(f))
		}
	}
}
