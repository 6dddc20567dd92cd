package carrier

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"switchboard/comms"
	"switchboard/comms/record"
	"switchboard/ent/importsound"
	"switchboard/internal/clock"
)

const (
	soundsAtATime = 2
	soundTime     = 10 * time.Minute // for one recording
	soundWithin   = 5 * time.Second  // between what the carrier's two books say a call began
	// mostSoundTries is how often a recording is looked at whose call is not here, or that could not be fetched: over ten days, as the time
	// between doubles.
	mostSoundTries = 8
	firstSoundWait = time.Hour
)

// errandSound is a recording to be looked at.
type errandSound struct {
	line Line
	id   string
	name string // in our store
	row  *importSoundRow
}

// importSoundRow is what is known of a recording that was looked at before.
type importSoundRow struct{ tries int }

// importSounds fetches the recordings of all lines that were not fetched before.
func (j *job) importSounds(ctx context.Context, lines []Line) error {
	for _, line := range lines {
		if line.Sounds == nil {
			continue
		}
		ids, err := line.Sounds.Sounds(ctx)
		if isGone(err) {
			continue
		}
		var errands []errandSound
		if j.goesOn(ctx, err); err == nil {
			errands, err = j.unheard(ctx, line, ids)
		}
		if err != nil {
			if err := j.passes(ctx, "the list of a line's recordings", err); err != nil {
				return err
			}
			continue
		}
		if err := j.fetchSounds(ctx, errands); err != nil {
			return err
		}
	}
	return nil
}

// unheard is those of the recordings that are to be looked at now.
func (j *job) unheard(ctx context.Context, line Line, ids []string) ([]errandSound, error) {
	slices.Sort(ids)
	var out []errandSound
	for some := range slices.Chunk(slices.Compact(ids), idsAtOnce) {
		names := make([]string, len(some))
		for i, id := range some {
			names[i] = line.Name + "/" + id
		}
		rows, err := j.s.in.Read().ImportSound.Query().Where(importsound.LinkID(j.link.ID), importsound.NameIn(names...)).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for recordings: %w", err)
		}
		known := map[string]*importSoundRow{}
		for _, row := range rows {
			known[row.Name] = &importSoundRow{tries: row.Tries}
			if row.Done || row.NextAt != nil && *row.NextAt > now() {
				known[row.Name] = nil // there, and not to be looked at
			}
		}
		for i, id := range some {
			if row, seen := known[names[i]]; !seen || row != nil {
				out = append(out, errandSound{line: line, id: id, name: names[i], row: row})
			}
		}
	}
	return out, nil
}

func (j *job) fetchSounds(ctx context.Context, errands []errandSound) error {
	troubles := make([]error, len(errands))
	inParallel(soundsAtATime, len(errands), func(i int) bool {
		troubles[i] = j.fetchSound(ctx, errands[i])
		return j.goesOn(ctx, troubles[i])
	})
	for _, err := range troubles {
		if err == nil {
			continue
		}
		if err := j.passes(ctx, "a recording", err); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// fetchSound looks at one recording and notes what became of it. What it answers is the carrier's trouble or ours; a recording that makes no
// sense, or whose file can't be fetched, is none.
func (j *job) fetchSound(ctx context.Context, e errandSound) error {
	sound, err := e.line.Sounds.Sound(ctx, e.id)
	switch t := troubleOf(err); {
	case err == nil:
	case isGone(err), t.Problem == ProblemNonsense, t.Problem == ProblemRefused:
		j.s.in.Log().WarnContext(ctx, "a recording of a carrier is left out for now", "link", j.link.ID, "error", t.Err)
		return j.heard(ctx, e, t.Gone)
	default:
		return err
	}
	if sound.StartedAt.Before(now().Add(-reach - overlap).Time()) {
		return j.heard(ctx, e, true) // older than any call that we imported
	}
	ctx, cancel := context.WithTimeout(ctx, soundTime)
	defer cancel()
	found, err := j.add(ctx, sound)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && cause != context.DeadlineExceeded {
			return cause
		}
		j.s.in.Log().WarnContext(ctx, "a recording could not be fetched", "link", j.link.ID, "error", err)
	}
	return j.heard(context.WithoutCancel(ctx), e, found)
}

// add gives the recording to the call that it is of; false: that is not here.
func (j *job) add(ctx context.Context, sound *Sound) (found bool, err error) {
	for _, called := range sound.Called {
		if called == "" {
			continue
		}
		data := &late{ctx: ctx, open: sound.Open}
		found, err = j.s.records.AddSound(ctx, j.link.AccountID, record.AddSound{Calling: sound.Calling, Called: called,
			StartedAt: clock.From(sound.StartedAt), Within: soundWithin, Data: data})
		if closing := data.close(); err == nil {
			err = closing
		}
		if found || err != nil {
			break
		}
	}
	return found && err == nil, err
}

// heard notes that a recording was looked at: it is done with, or to be looked at again later.
func (j *job) heard(ctx context.Context, e errandSound, done bool) error {
	tries := 1
	if e.row != nil {
		tries = e.row.tries + 1
	}
	err := j.s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := j.s.renew(ctx, c, j.link.ID); err != nil {
			return err
		}
		if _, err := c.Tx().ImportSound.Delete().Where(importsound.LinkID(j.link.ID), importsound.Name(e.name)).Exec(ctx); err != nil {
			return err
		}
		create := c.Tx().ImportSound.Create().SetLinkID(j.link.ID).SetName(e.name).SetTries(tries).SetDone(done || tries >= mostSoundTries)
		return create.SetNextAt(c.Now().Add(firstSoundWait << (tries - 1))).Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("note a recording: %w", err)
	}
	return nil
}

// late opens what it reads at the first Read, so that nothing is fetched for which there is no call.
type late struct {
	ctx  context.Context
	open func(context.Context) (io.ReadCloser, error)
	data io.ReadCloser
	err  error
}

func (l *late) Read(p []byte) (int, error) {
	if l.data == nil && l.err == nil {
		l.data, l.err = l.open(l.ctx)
	}
	if l.err != nil {
		return 0, l.err
	}
	return l.data.Read(p)
}

func (l *late) close() error {
	if l.data == nil {
		return nil
	}
	return l.data.Close()
}
