package providers

import (
	"context"
	"strings"
	"testing"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/db"
	"switchboard/internal/house"
	"switchboard/providers/sip"
	"switchboard/providers/voice"
)

// The line for who started the program says where calls go, and nothing of what is switched off.
func TestWelcome(t *testing.T) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		svc, err := comms.New(comms.Options{Store: open(t), Secret: make([]byte, 32), HashCost: 4})
		if err != nil {
			t.Fatal(err)
		}
		for tls, want := range map[string]bool{"": false, "127.0.0.1:0": true} {
			p, err := Open(Options{SIP: sip.Options{Listen: "127.0.0.1:0", TLS: tls, Data: t.TempDir(), Secret: make([]byte, 32), Recordings: t.TempDir(), MediaPorts: "0"},
				Calls: call.New(svc, call.Options{}), Voice: voice.New(voice.Options{})})
			if err != nil {
				t.Fatal(err)
			}
			if line := p.Welcome(); strings.Contains(line, "(TLS)") != want || strings.Contains(line, "invalid") || !strings.Contains(line, "(UDP, TCP)") {
				t.Errorf("TLS at %q: %s", tls, line)
			}
			t.Cleanup(func() {
				if err := p.end(); err != nil {
					t.Error(err)
				}
			})
		}
		if line := (&Providers{}).Welcome(); line != "  Calls       off\n" {
			t.Error(line)
		}
	})
}

// end serves until at once: what Open opened is closed.
func (p *Providers) end() error {
	return p.Serve(ended())
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
