package sip

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"switchboard/providers/sip/media"
)

// pressed is told of a digit that a side pressed (RFC 4733). Between two sides that talk the media relays them by itself.
func (c *liveCall) pressed(l *leg, d byte) {
	if c.ask != nil && l == c.first {
		c.digit(d)
	}
}

// informed takes an INFO with a digit, as older telephones send it: for us if we asked for digits, else for the other side.
func (c *liveCall) informed(l *leg, d byte) {
	if c.ask != nil && l == c.first {
		c.digit(d)
		return
	}
	if other := c.other(l); other != nil && other.there() {
		other.press(string(d))
	}
}

// digitIn reads the digit of an INFO: application/dtmf-relay ("Signal=5\r\nDuration=160") or application/dtmf ("5").
func digitIn(req *sip.Request) (byte, bool) {
	if req.ContentType() == nil {
		return 0, false
	}
	kind, _, _ := strings.Cut(strings.ToLower(req.ContentType().Value()), ";")
	text := ""
	switch strings.TrimSpace(kind) {
	case "application/dtmf-relay":
		for _, line := range strings.Split(string(req.Body()), "\n") {
			if name, value, _ := strings.Cut(line, "="); strings.EqualFold(strings.TrimSpace(name), "signal") {
				text = strings.TrimSpace(value)
			}
		}
	case "application/dtmf":
		text = strings.TrimSpace(string(req.Body()))
	}
	// Some telephones write the event code of RFC 4733 in place of the sign.
	if n, err := strconv.Atoi(text); err == nil && n >= 10 && n <= 15 {
		text = string("*#ABCD"[n-10])
	}
	text = strings.ToUpper(text)
	if len(text) != 1 || !strings.Contains("0123456789*#ABCD", text) {
		return 0, false
	}
	return text[0], true
}

// press sends digits to the leg, one after the other: as telephone-events, or by INFO to a peer that didn't agree to those.
func (l *leg) press(digits string) {
	l.pressing += digits
	if l.pressing != digits {
		return // they follow those that are being sent
	}
	l.pressNext()
}

func (l *leg) pressNext() {
	digits := l.pressing
	if digits == "" || !l.there() {
		l.pressing = ""
		return
	}
	var err error
	l.c.aside(func(ctx context.Context) { err = l.sound.SendDigits(ctx, digits) }, func() {
		switch {
		case errors.Is(err, media.ErrNoTelephoneEvent):
			l.informNext()
			return
		case err != nil:
			l.s.log.Info("digits could not be sent", "call", l.c.id, "err", err)
		}
		l.pressing = l.pressing[len(digits):]
		l.pressNext()
	})
}

const (
	infoPause = 500 * time.Millisecond // what a comma means
	infoTone  = 160                    // milliseconds
)

// informNext sends the first digit that waits by INFO, and goes on when that is answered.
func (l *leg) informNext() {
	if l.pressing == "" || !l.there() {
		l.pressing = ""
		return
	}
	d := l.pressing[0]
	next := func() {
		if l.pressing != "" {
			l.pressing = l.pressing[1:]
		}
		l.informNext()
	}
	if d == ',' {
		l.after(infoPause, next)
		return
	}
	req := l.d.request(sip.INFO)
	kind := sip.ContentTypeHeader("application/dtmf-relay")
	req.AppendHeader(&kind)
	req.SetBody(fmt.Appendf(nil, "Signal=%c\r\nDuration=%d\r\n", d, infoTone))
	l.request(req, func(*sip.Response) { next() })
}
