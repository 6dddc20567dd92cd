package peers_test

import (
	"testing"
	"time"

	"switchboard/internal/house/peers"
)

// Two telephones without anything in between: what the kit says of sound can be believed.
func TestTwoPhonesHearEachOther(t *testing.T) {
	a := peers.StartPhone(t, peers.PhoneOptions{User: "a", Tone: 440})
	b := peers.StartPhone(t, peers.PhoneOptions{User: "b", Tone: 1000, Manual: true})
	a.Dial(b.URI())
	b.Wait("CALL_INCOMING")
	b.Answer()
	a.Wait("CALL_RTPESTAB")
	a.Hear(500 * time.Millisecond)
	b.Hear(500 * time.Millisecond)
	a.Press("5")
	b.Wait("CALL_DTMF_START")
	a.HangUp()
	b.Wait("CALL_CLOSED")
	for _, p := range []struct {
		phone *peers.Phone
		hz    float64
	}{{a, 1000}, {b, 440}} {
		heard := peers.Loud(p.phone.Heard())
		if share := peers.Share(heard, p.hz); len(heard) < 400 || share < .8 {
			t.Errorf("%d samples, %.2f of them at %.0f Hz", len(heard), share, p.hz)
		}
	}
}
