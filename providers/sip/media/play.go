package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Source gives sound: 8 kHz, mono, 16 bit. Read fills samples as far as it can and says io.EOF at the end. It is called on the clock that
// all legs share: it must not wait for anything.
type Source interface {
	Read(samples []int16) (n int, err error)
}

// player sends a source to one leg's peer.
type player struct {
	leg     *Leg
	source  Source
	samples [frame]int16
	done    chan error // room for one: whoever takes the player off its leg says why
}

// Play sends a sound until it ends (nil), ctx does, another Play, Echo or Connect takes over (ErrInterrupted), or the leg is closed
// (ErrClosed). The clock runs on while the peer holds or its address isn't known yet: what falls into that time is not heard.
func (l *Leg) Play(ctx context.Context, source Source) error {
	p := &player{leg: l, source: source, done: make(chan error, 1)}
	if err := l.out.begin(p); err != nil {
		return err
	}
	l.engine.clock.add(p)
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		l.out.end(p)
		return ctx.Err()
	}
}

func (o *outbound) begin(p *player) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	if o.player != nil {
		o.player.done <- ErrInterrupted
	}
	o.player = p
	return nil
}

func (o *outbound) end(p *player) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.player == p {
		o.player = nil
	}
}

// beat sends 20 ms. Digits that are being sent to the same leg make the sound wait.
func (p *player) beat(now time.Time, room *[packetRoom]byte) bool {
	o := &p.leg.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.player != p {
		return false
	}
	if o.keys != nil {
		return true
	}
	n, err := p.fill()
	if n == 0 && err != nil {
		o.player = nil
		if errors.Is(err, io.EOF) {
			err = nil
		} else {
			err = fmt.Errorf("media: play: %w", err)
		}
		p.done <- err
		return false
	}
	clear(p.samples[n:])
	begins := o.own(now)
	if !o.sending {
		return true
	}
	o.seq++
	header{number: o.prefers, marker: begins, seq: o.seq, ts: o.ts, ssrc: o.ssrc}.put(room[:])
	encode(room[headerSize:], p.samples[:], o.prefers)
	o.write(room[:headerSize+frame])
	return true
}

// fill reads one frame, in as many pieces as the source likes.
func (p *player) fill() (int, error) {
	n := 0
	for n < frame {
		got, err := p.source.Read(p.samples[n:])
		n += got
		if err != nil {
			return n, err
		}
		if got == 0 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}
