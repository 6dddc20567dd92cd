package media

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// How a digit is sent, in beats of 20 ms. 160 ms of tone and 80 of pause are what the slowest of detectors ask for (ITU-T Q.24).
const (
	pressBeats = 8
	endBeats   = 3 // the end is said three times (RFC 4733, section 2.5.1.4)
	restBeats  = 4
	commaBeats = 25
	volume     = 10 // -10 dBm0
)

// keys sends digits to one leg's peer.
type keys struct {
	leg    *Leg
	digits string
	step   int // beats into the first of the digits
	done   chan error
}

// SendDigits presses keys towards the peer, as RFC 4733 telephone-events: 0-9 * # A-D, and a comma for half a second's pause. What is
// relayed or played to the peer is silent meanwhile. ErrNoTelephoneEvent: the peer did not agree to them (SIP INFO may do instead).
func (l *Leg) SendDigits(ctx context.Context, digits string) error {
	digits = strings.ToUpper(digits)
	if i := strings.IndexFunc(digits, func(r rune) bool { return !strings.ContainsRune(keyNames+",", r) }); i >= 0 {
		return fmt.Errorf("media: %q is no digit", digits[i])
	}
	k := &keys{leg: l, digits: digits, done: make(chan error, 1)}
	if digits == "" {
		return nil
	}
	if err := l.out.press(k); err != nil {
		return err
	}
	l.engine.clock.add(k)
	select {
	case err := <-k.done:
		return err
	case <-ctx.Done():
		l.out.mu.Lock()
		defer l.out.mu.Unlock()
		if l.out.keys == k {
			l.out.keys = nil
		}
		return ctx.Err()
	}
}

func (o *outbound) press(k *keys) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return ErrClosed
	case o.event < 0:
		return ErrNoTelephoneEvent
	case o.keys != nil: // those that are asked for later go first no sooner than those before
		k.digits, o.keys.digits = o.keys.digits+k.digits, ""
		k.step = o.keys.step
		o.keys.done <- nil
	}
	o.keys = k
	return nil
}

// beat sends what is due in these 20 ms.
func (k *keys) beat(now time.Time, room *[packetRoom]byte) bool {
	o := &k.leg.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.keys != k {
		return false
	}
	if k.digits == "" {
		o.keys = nil
		k.done <- nil
		return false
	}
	digit, lasts := k.digits[0], pressBeats+endBeats+restBeats
	if digit == ',' {
		lasts = commaBeats
	} else if k.step < pressBeats+endBeats {
		k.send(digit, now, room)
	}
	if k.step++; k.step >= lasts {
		k.digits, k.step = k.digits[1:], 0
	}
	return true
}

// send sends one packet of a press: all of them bear the time at which it began.
func (k *keys) send(digit byte, now time.Time, room *[packetRoom]byte) {
	o := &k.leg.out
	if k.step == 0 {
		o.from, o.ts, o.sentAt = nil, o.resume(now), now
	}
	if !o.sending || o.event < 0 {
		return
	}
	o.seq++
	header{number: byte(o.event), marker: k.step == 0, seq: o.seq, ts: o.ts, ssrc: o.ssrc}.put(room[:])
	payload := room[headerSize : headerSize+4]
	payload[0], payload[1] = byte(strings.IndexByte(keyNames, digit)), volume
	if k.step >= pressBeats {
		payload[1] |= endBit
	}
	binary.BigEndian.PutUint16(payload[2:], uint16(min(k.step+1, pressBeats)*frame))
	o.write(room[:headerSize+4])
}
