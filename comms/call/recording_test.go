package call

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/recording"
	"switchboard/internal/clock"
)

// recorded is a new call of the owner's with a recording that runs.
func (o *office) recorded() *comms.Recording {
	o.Helper()
	var r *comms.Recording
	err := o.calls.in.Change(o.Context(), func(ctx context.Context, c *comms.Change) error {
		if err := o.calls.in.Lock(ctx, c, o.account); err != nil {
			return err
		}
		row, err := c.Tx().Call.Create().SetConversationID(uuid.New()).SetAccountID(o.account).SetNumberID(o.number.ID).SetPeer("+4930000001").
			SetDirection("incoming").SetStatus("answered").SetNode("test").Save(ctx)
		if err != nil {
			return err
		}
		if r, err = o.calls.startRecording(ctx, c, row); err != nil {
			return err
		}
		if again, err := o.calls.startRecording(ctx, c, row); err != nil || again.ID != r.ID {
			o.Errorf("started twice: %+v, %v", again, err)
		}
		return nil
	})
	if err != nil {
		o.Fatal(err)
	}
	return r
}

// write is what a recorder leaves: so much sound under a head that says so much.
func (o *office) write(r *comms.Recording, sound, says int) string {
	o.Helper()
	h := head(int64(says))
	name := o.calls.recordingFile(r.ID)
	if err := os.WriteFile(name, append(h[:], bytes.Repeat([]byte{1, 0, 2, 0}, sound/4+1)[:sound]...), 0o600); err != nil {
		o.Fatal(err)
	}
	return name
}

func (o *office) ended(r *comms.Recording, how Recorded) {
	o.Helper()
	if err := o.calls.RecordingEnded(o.Context(), r.ID, how); err != nil {
		o.Fatal(err)
	}
}

func (o *office) reread(r *comms.Recording) *comms.Recording {
	o.Helper()
	row, err := o.store.Read().Recording.Get(o.Context(), r.ID)
	if err != nil {
		o.Fatal(err)
	}
	return row
}

// kept is what the archive holds of a recording; nil: nothing.
func (o *office) kept(r *comms.Recording) []byte {
	o.Helper()
	f, err := o.archive.Open(o.Context(), r.ID)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		o.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		o.Fatal(err)
	}
	return b
}

const second = wavRate * wavFrame // bytes

func TestARecordingIsReadyOnce(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		r := o.recorded()
		file := o.write(r, 2*second, 2*second)
		for range 3 {
			o.ended(r, Recorded{File: file, Duration: 2 * time.Second})
		}
		row := o.reread(r)
		if row.Status != recording.StatusReady || row.Duration != 2000 || row.Size != 2*second+wavHead || row.ReadyAt == nil {
			o.Errorf("%+v", row)
		}
		if b := o.kept(r); len(b) != 2*second+wavHead || there(file) {
			o.Errorf("%d bytes are kept, the file is still there: %v", len(b), there(file))
		}
		if got := o.told("recording"); got != "started ready" {
			o.Errorf("told: %s", got)
		}
	})
}

func TestRecordingsThatFail(t *testing.T) {
	full := errors.New("no space left on device")
	cases := map[string]struct {
		sound, says int
		how         error
		told        string
		size        int64
	}{
		"disk full: what there is is kept": {second + 2, 0, full, "started failed", second + wavHead},
		"disk full at once":                {0, 0, full, "started failed", 0},
		"nothing was said":                 {0, 0, nil, "started failed", 0},
		"it never began":                   {-1, 0, full, "started failed", 0},
		"an old head":                      {second, 4, nil, "started ready", second + wavHead},
	}
	officesOnBoth(t, func(o *office) {
		before := ""
		for name, c := range cases {
			r := o.recorded()
			how := Recorded{Err: c.how}
			if c.sound >= 0 {
				how.File = o.write(r, c.sound, c.says)
			}
			o.ended(r, how)
			o.ended(r, how)
			row := o.reread(r)
			if row.Size != c.size || int64(len(o.kept(r))) != c.size || row.ReadyAt == nil || there(o.calls.recordingFile(r.ID)) {
				o.Errorf("%s: %+v, %d bytes kept", name, row, len(o.kept(r)))
			}
			told := o.told("recording")
			if got := strings.TrimSpace(strings.TrimPrefix(told, before)); got != c.told {
				o.Errorf("%s: told %s", name, got)
			}
			before = told
		}
	})
}

// A process that is killed leaves a file whose head says less than there is, and perhaps half a moment at its end.
func TestWhatACrashLeavesIsMendedAndKept(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		cut, done, nothing, alive := o.recorded(), o.recorded(), o.recorded(), (*comms.Recording)(nil)
		o.write(cut, 3*second+3, second)
		if err := o.archive.Keep(o.Context(), done.ID, o.write(done, second, second)); err != nil { // it died before it told
			o.Fatal(err)
		}
		o.restart()
		alive = o.recorded()
		o.write(alive, second, 0)
		for range 2 {
			if err := o.calls.settleRecordings(o.Context(), clock.Now()); err != nil {
				o.Fatal(err)
			}
		}
		if row := o.reread(cut); row.Status != recording.StatusReady || row.Duration != 3000 || row.Size != 3*second+wavHead {
			o.Errorf("%+v", row)
		}
		b := o.kept(cut)
		le := binary.LittleEndian
		if len(b) != 3*second+wavHead || le.Uint32(b[4:]) != 3*second+36 || le.Uint32(b[40:]) != 3*second ||
			string(b[:4])+string(b[8:16])+string(b[36:40]) != "RIFFWAVEfmt data" || le.Uint16(b[22:]) != 2 || le.Uint32(b[24:]) != 8000 {
			o.Errorf("%d bytes, head %x", len(b), b[:min(len(b), wavHead)])
		}
		if row := o.reread(done); row.Status != recording.StatusReady || row.Duration != 1000 {
			o.Errorf("%+v", row)
		}
		if row := o.reread(nothing); row.Status != recording.StatusFailed || row.Size != 0 {
			o.Errorf("%+v", row)
		}
		if row := o.reread(alive); row.Status != recording.StatusRecording || !there(o.calls.recordingFile(alive.ID)) {
			o.Errorf("one that is being written was taken: %+v", row)
		}
		if got := o.told("recording"); got != "started started started started ready ready failed" {
			o.Errorf("told: %s", got)
		}
	})
}

// Another process on the same database writes its own; only what is too old to be alive is brought to an end for it.
func TestRecordingsOfAnotherProcess(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		r := o.recorded()
		o.write(r, second, 0)
		other, err := comms.New(comms.Options{Store: o.store, Secret: bytes.Repeat([]byte{7}, 32), Node: "other", HashCost: 4})
		if err != nil {
			o.Fatal(err)
		}
		calls := New(other, Options{Archive: o.archive, Recordings: o.folder})
		for _, step := range []struct {
			later time.Duration
			want  recording.Status
		}{{0, recording.StatusRecording}, {25 * time.Hour, recording.StatusReady}} {
			if err := calls.settleRecordings(o.Context(), clock.Now().Add(step.later)); err != nil || o.reread(r).Status != step.want {
				o.Errorf("after %v: %+v, %v", step.later, o.reread(r), err)
			}
		}
	})
}

// absent is an archive that is away.
type absent struct{ Archive }

func (absent) Keep(context.Context, uuid.UUID, string) error {
	return errors.New("the archive is away")
}

func TestTheArchiveComesBack(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		r := o.recorded()
		how := Recorded{File: o.write(r, second, 0), Err: errors.New("no space left on device")}
		o.calls.archive = absent{o.archive}
		if err := o.calls.RecordingEnded(o.Context(), r.ID, how); err == nil {
			o.Error("it was kept nowhere")
		}
		if row := o.reread(r); row.Status != recording.StatusRecording || o.told("recording") != "started" {
			o.Errorf("%+v, told %s", row, o.told("recording"))
		}
		o.calls.archive = o.archive
		for range 2 {
			if err := o.calls.settleRecordings(o.Context(), clock.Now()); err != nil {
				o.Fatal(err)
			}
		}
		// That it was cut short is not forgotten meanwhile.
		if row := o.reread(r); row.Status != recording.StatusFailed || row.Size != second+wavHead || o.told("recording") != "started failed" {
			o.Errorf("%+v, told %s", row, o.told("recording"))
		}
	})
}

// The room that speaks SIP forgot to say that it ended.
func TestARecordingOfACallThatEnded(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		r := o.recorded()
		o.write(r, second, 0)
		err := o.store.Change(o.Context(), func(ctx context.Context, tx *ent.Client) error {
			return tx.Call.UpdateOneID(r.CallID).SetEndedAt(clock.Now()).Exec(ctx)
		}, nil)
		if err != nil {
			o.Fatal(err)
		}
		for _, step := range []struct {
			later time.Duration
			want  recording.Status
		}{{0, recording.StatusRecording}, {time.Hour, recording.StatusReady}} {
			if err := o.calls.settleRecordings(o.Context(), clock.Now().Add(step.later)); err != nil || o.reread(r).Status != step.want {
				o.Errorf("after %v: %+v, %v", step.later, o.reread(r), err)
			}
		}
	})
}
