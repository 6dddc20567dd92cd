package call

import (
	"context"
	"errors"
	"sync"
	"testing"

	"switchboard/comms"
	"switchboard/ent/recording"
	"switchboard/internal/clock"
)

// What time demands is done as soon as the process runs, and a stop waits for what is in hand.
func TestWhatTimeDemands(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		r, old := o.recorded(), o.ready()
		o.write(r, second, 0)
		o.restart()
		o.calls.recordings.retention = 1 // everything is old
		told := make(chan struct{}, 8)
		o.calls.OnTrunksChanged(func() { told <- struct{}{} })
		if _, err := o.calls.CreateTrunk(o.master, CreateTrunk{Name: "a", TrunkWish: wish()}); err != nil {
			o.Fatal(err)
		}
		p := o.phone()
		o.register(p, "sip:a", 1)
		ctx, stop := context.WithCancel(o.Context())
		var running sync.WaitGroup
		for _, run := range []func(context.Context){o.calls.runContacts, o.calls.runTrunks, o.calls.runRecordings} {
			running.Go(func() { run(ctx) })
		}
		for o.reread(r).Status == recording.StatusRecording || o.reread(old).Status != recording.StatusDeleted {
			if o.Context().Err() != nil {
				o.Fatal("never settled")
			}
		}
		<-told
		o.register(p, "sip:a", 2)
		for o.stored()["sip:a"].Cseq != 2 {
			if o.Context().Err() != nil {
				o.Fatal("never written")
			}
		}
		stop()
		running.Wait()
	})
}

// What fails is said in the log, told nobody, and tried again.
func TestTheStoreIsAway(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		r := o.recorded()
		o.write(r, second, 0)
		away, leave := context.WithCancel(o.Context())
		leave()
		for name, err := range map[string]error{
			"ended":    o.calls.RecordingEnded(away, r.ID, Recorded{}),
			"settle":   o.calls.settleRecordings(away, clock.Now()),
			"retire":   o.calls.retireRecordings(away, clock.Now()),
			"collect":  o.calls.collectRecordings(away),
			"expire":   o.calls.expireContacts(away, clock.Now()),
			"forget":   o.calls.ForgetContacts(away, nil),
			"contacts": errorOf(o.calls.Contacts(away)),
			"trunks":   errorOf(o.calls.Trunks(away)),
		} {
			if !errors.Is(err, context.Canceled) {
				o.Errorf("%s: %v", name, err)
			}
		}
		if err := o.calls.settleRecordings(o.Context(), clock.Now()); err != nil || o.reread(r).Status != recording.StatusReady {
			o.Errorf("%+v, %v", o.reread(r), err)
		}
		_, err := o.calls.AuthenticatePhone(away, "1", func(string) bool { return true })
		if comms.IsCode(err, comms.Unauthenticated) {
			o.Error("that the store is away is said to be a wrong password")
		}
	})
}

func errorOf[T any](_ T, err error) error { return err }
