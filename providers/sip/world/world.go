package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"switchboard/providers/sip/media"
)

// Voice turns text into sound (providers/voice).
type Voice interface {
	Speaks(lang string) bool
	Speak(ctx context.Context, text, lang string) ([]int16, error) // 8 kHz mono
}

// Options are what a World is built from.
type Options struct {
	Voice Voice // nil: the number that speaks plays tones instead
	Log   *slog.Logger
}

// World answers calls to the nine numbers.
type World struct {
	log    *slog.Logger
	voice  Voice
	agent  *sipgo.UserAgent
	server *sipgo.Server
	dialog *sipgo.DialogServerCache
	packet net.PacketConn
	sound  *media.Engine
	places chan struct{} // one for each call
	calls  sync.WaitGroup
	ending chan struct{}

	mu   sync.Mutex
	live map[string]*live // by Call-ID
}

// live is a call between its INVITE and its end.
type live struct {
	gone chan struct{} // closed when the caller hangs up
	leg  *media.Leg    // once it was answered
}

const (
	mostCalls   = 500
	longestCall = time.Hour
	late        = 8 * time.Second
	atLeast     = 300 * time.Millisecond
	short       = 5 * time.Second
)

// New opens the world's socket, on a free port of the loopback.
func New(o Options) (*World, error) {
	w := &World{log: o.Log, voice: o.Voice, places: make(chan struct{}, mostCalls), ending: make(chan struct{}), live: map[string]*live{}}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	var err error
	if w.sound, err = media.New(media.Options{Bind: loopback, Log: o.Log}); err != nil {
		return nil, err
	}
	if w.packet, err = net.ListenPacket("udp4", "127.0.0.1:0"); err != nil {
		return nil, errors.Join(fmt.Errorf("test world: %w", err), w.sound.Close())
	}
	if err := w.open(); err != nil {
		return nil, errors.Join(err, w.packet.Close(), w.sound.Close())
	}
	return w, nil
}

func (w *World) open() (err error) {
	if w.agent, err = sipgo.NewUA(sipgo.WithUserAgent("switchboard-test-world"), sipgo.WithUserAgentHostname("127.0.0.1")); err != nil {
		return fmt.Errorf("test world: %w", err)
	}
	if w.server, err = sipgo.NewServer(w.agent, sipgo.WithServerLogger(slog.New(slog.DiscardHandler))); err != nil {
		return fmt.Errorf("test world: %w", err)
	}
	at := w.packet.LocalAddr().(*net.UDPAddr)
	client, err := sipgo.NewClient(w.agent, sipgo.WithClientAddr(at.String()), sipgo.WithClientConnectionAddr(at.String()),
		sipgo.WithClientLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("test world: %w", err)
	}
	contact := sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "world", Host: "127.0.0.1", Port: at.Port}}
	w.dialog = sipgo.NewDialogServerCache(client, contact)
	w.server.OnInvite(w.safely(w.invite))
	w.server.OnAck(w.safely(func(req *sip.Request, tx sip.ServerTransaction) { _ = w.dialog.ReadAck(req, tx) })) // one that is late: nobody waits for it
	w.server.OnBye(w.safely(w.bye))
	w.server.OnInfo(w.safely(accept))
	w.server.OnOptions(w.safely(accept))
	w.server.OnUpdate(w.safely(accept))
	return nil
}

// Addr is where calls to the world go.
func (w *World) Addr() string { return w.packet.LocalAddr().String() }

// Serve answers until ctx ends.
func (w *World) Serve(ctx context.Context) error {
	end := context.AfterFunc(ctx, func() { close(w.ending); w.packet.Close() })
	defer end()
	err := w.server.ServeUDP(w.packet)
	if ctx.Err() != nil {
		err = nil // the socket was closed to end this
	}
	w.calls.Wait()
	return errors.Join(err, w.agent.Close(), w.sound.Close())
}

// safely keeps a panic from ending the process: sipgo runs handlers without a recover.
func (w *World) safely(next sipgo.RequestHandler) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		defer func() {
			if p := recover(); p != nil {
				w.log.Error("test world: a panic", "method", req.Method, "panic", p)
			}
		}()
		next(req, tx)
	}
}

func accept(req *sip.Request, tx sip.ServerTransaction) { respond(req, tx, sip.StatusOK, "OK") }

// respond answers; who asked and is gone by now can't be told.
func respond(req *sip.Request, tx sip.ServerTransaction, status int, reason string) {
	_ = tx.Respond(sip.NewResponseFromRequest(req, status, reason, nil))
}

func (w *World) bye(req *sip.Request, tx sip.ServerTransaction) {
	if err := w.dialog.ReadBye(req, tx); err != nil {
		respond(req, tx, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := req.CallID().Value()
	if l := w.live[key]; l != nil {
		close(l.gone)
		delete(w.live, key)
	}
}

// behaviour is what a number does once it was called.
type behaviour struct {
	status int           // it refuses with this
	reason string        // its words
	rings  time.Duration // how long before it answers; negative: for ever
	answer func(w *World, c *conversation)
}

// behaviours by the number's last digit.
var behaviours = [...]behaviour{
	1: {answer: (*World).echo},
	2: {answer: (*World).tone},
	3: {status: sip.StatusBusyHere, reason: "Busy Here"},
	4: {rings: -1},
	5: {status: sip.StatusGlobalDecline, reason: "Decline"},
	6: {status: sip.StatusNotFound, reason: "Not Found"},
	7: {rings: late, answer: (*World).echo},
	8: {answer: (*World).digits},
	9: {answer: (*World).speak},
}

// First is what the numbers have in common.
const First = "+99900000000"

// behaviourOf is what was dialled; a number that is none of the world's does not exist.
func behaviourOf(user string) behaviour {
	digit, ok := strings.CutPrefix(user, First)
	if ok && len(digit) == 1 && digit[0] >= '1' && digit[0] <= '9' {
		return behaviours[digit[0]-'0']
	}
	return behaviours[6]
}
