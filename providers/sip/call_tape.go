package sip

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"switchboard/comms/call"
	"switchboard/providers/sip/media"
)

// tape is a recording that is being written.
type tape struct {
	id       uuid.UUID
	of       uuid.UUID // under which name of the call it was ordered
	file     string
	recorder *media.Recorder
}

// startTape records both sides from now on: the first on the left channel, the second on the right. Where nobody is on the first side
// (Hold) the one that there is is on the left.
func (c *liveCall) startTape(of, id uuid.UUID) error {
	if c.tape != nil {
		return notNow("the call is being recorded already")
	}
	if c.stage != stageTalking || c.second == nil {
		return notNow("nobody talks yet")
	}
	if err := os.MkdirAll(c.s.opt.Recordings, 0o700); err != nil {
		return fmt.Errorf("make the folder of recordings: %w", err)
	}
	file := filepath.Join(c.s.opt.Recordings, id.String()+".wav")
	left, right := c.second.sound, (*media.Leg)(nil)
	if c.first != nil {
		left, right = c.first.sound, c.second.sound
	}
	recorder, err := media.Record(file, left, right)
	if err != nil {
		return fmt.Errorf("start a recording: %w", err)
	}
	c.tape = &tape{id: id, of: of, file: file, recorder: recorder}
	return nil
}

// stopTape ends the recording, if there is one. What is left to write, and telling of it, is done beside the call.
func (c *liveCall) stopTape() {
	t := c.tape
	if t == nil {
		return
	}
	c.tape = nil
	var done *call.Recorded
	c.reports.add(report{what: "recorded", tell: func(ctx context.Context) error {
		if done == nil {
			length, err := t.recorder.Stop()
			done = &call.Recorded{File: t.file, Duration: length, Err: err}
		}
		return c.s.rules.RecordingEnded(ctx, t.id, *done)
	}})
}
