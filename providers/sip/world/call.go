package world

import (
	"context"
	"math"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"switchboard/providers/sip/media"
)

// conversation is one call that was answered.
type conversation struct {
	ctx    context.Context // ends with the call
	dialog *sipgo.DialogServerSession
	leg    *media.Leg
}

// invite takes a call through its life; sipgo runs each request in a goroutine of its own.
func (w *World) invite(req *sip.Request, tx sip.ServerTransaction) {
	if to := req.To(); to != nil && to.Params.Has("tag") {
		w.reinvite(req, tx)
		return
	}
	select {
	case w.places <- struct{}{}:
		defer func() { <-w.places }()
	default:
		respond(req, tx, sip.StatusServiceUnavailable, "Service Unavailable")
		return
	}
	w.calls.Add(1)
	defer w.calls.Done()
	b := behaviourOf(req.Recipient.User)
	if b.status != 0 {
		respond(req, tx, b.status, b.reason)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), longestCall)
	defer cancel()
	defer w.expect(req, cancel)()
	dialog, err := w.dialog.ReadInvite(req, tx)
	if err != nil {
		respond(req, tx, sip.StatusBadRequest, "Bad Request")
		return
	}
	defer dialog.Close()
	tx.OnCancel(func(*sip.Request) { cancel() })
	if err := dialog.Respond(sip.StatusRinging, "Ringing", nil); err != nil || !w.ring(ctx, b.rings, dialog) {
		return
	}
	w.talk(ctx, b, req, dialog)
}

// expect makes the caller's BYE, and the end of the world, cancel the call. What it returns ends that.
func (w *World) expect(req *sip.Request, cancel func()) (done func()) {
	key, gone, over := req.CallID().Value(), make(chan struct{}), make(chan struct{})
	w.mu.Lock()
	w.live[key] = &live{gone: gone}
	w.mu.Unlock()
	go func() {
		select {
		case <-gone:
		case <-w.ending:
		case <-over:
		}
		cancel()
	}()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		close(over)
		delete(w.live, key)
	}
}

// ring waits as long as the number rings; false: it was not answered.
func (w *World) ring(ctx context.Context, long time.Duration, dialog *sipgo.DialogServerSession) bool {
	if long < 0 {
		long = 3 * time.Minute // RFC 3261 section 16.6 gives a proxy no more
	}
	// A 180 and a 200 in one breath may overtake each other on the way: nobody lifts a receiver that fast either.
	if !wait(ctx, max(long, atLeast)) {
		return false
	}
	if long == 3*time.Minute {
		_ = dialog.Respond(sip.StatusTemporarilyUnavailable, "Temporarily Unavailable", nil) // the caller may be gone
		return false
	}
	return true
}

// wait tells whether so much time went by before the call ended.
func wait(ctx context.Context, long time.Duration) bool {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// talk answers, behaves, and hangs up unless the caller did.
func (w *World) talk(ctx context.Context, b behaviour, req *sip.Request, dialog *sipgo.DialogServerSession) {
	leg, err := w.sound.Open(media.LegOptions{Name: "world"})
	if err != nil {
		_ = dialog.Respond(sip.StatusServiceUnavailable, "Service Unavailable", nil)
		return
	}
	defer leg.Close()
	w.mu.Lock()
	if l := w.live[req.CallID().Value()]; l != nil {
		l.leg = leg
	}
	w.mu.Unlock()
	answer, err := agree(leg, req.Body())
	if err != nil {
		_ = dialog.Respond(sip.StatusNotAcceptableHere, "Not Acceptable Here", nil)
		return
	}
	if err := dialog.RespondSDP(answer); err != nil { // no ACK came, or a CANCEL did
		return
	}
	b.answer(w, &conversation{ctx, dialog, leg})
	if ctx.Err() == nil {
		hangUp, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		_ = dialog.Bye(hangUp) // the caller may hang up at the same moment
	}
}

// agree answers the caller's offer; a call without one gets ours, whose answer comes with the ACK and is the caller's own affair.
func agree(leg *media.Leg, offer []byte) ([]byte, error) {
	if len(offer) == 0 {
		return leg.Offer()
	}
	return leg.Answer(offer)
}

// reinvite answers a caller who holds, resumes, moves or refreshes.
func (w *World) reinvite(req *sip.Request, tx sip.ServerTransaction) {
	dialog, err := w.dialog.MatchDialogRequest(req)
	w.mu.Lock()
	l := w.live[req.CallID().Value()]
	w.mu.Unlock()
	if err != nil || l == nil || l.leg == nil {
		respond(req, tx, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
		return
	}
	answer, err := agree(l.leg, req.Body())
	if err != nil {
		respond(req, tx, sip.StatusNotAcceptableHere, "Not Acceptable Here")
		return
	}
	res := sip.NewSDPResponseFromRequest(req, answer)
	if contact := dialog.InviteResponse.Contact(); contact != nil {
		res.AppendHeader(sip.HeaderClone(contact))
	}
	_ = tx.Respond(res)
}

func (w *World) echo(c *conversation) {
	c.leg.Echo(true)
	<-c.ctx.Done()
}

func (w *World) tone(c *conversation) {
	_ = c.leg.Play(c.ctx, media.Tone(440, short)) // ended by the caller: nothing is left to do
	wait(c.ctx, 0)
}

func (w *World) digits(c *conversation) {
	if wait(c.ctx, time.Second) {
		_ = c.leg.SendDigits(c.ctx, "0123456789*#") // a caller without telephone-event hears none
		<-c.ctx.Done()
	}
}

const (
	words = "This is the test world of Switchboard. You called, and it answered. Goodbye."
	lang  = "en"
)

// speak says its words, or plays a melody where nothing can speak.
func (w *World) speak(c *conversation) {
	if w.voice != nil && w.voice.Speaks(lang) {
		samples, err := w.voice.Speak(c.ctx, words, lang)
		if err == nil {
			_ = c.leg.Play(c.ctx, media.Samples(samples))
			return
		}
		w.log.Warn("test world: speaking", "error", err)
	}
	for note := range 8 {
		if err := c.leg.Play(c.ctx, media.Tone(440*math.Pow(2, float64(note)/12), 300*time.Millisecond)); err != nil {
			return
		}
	}
}
