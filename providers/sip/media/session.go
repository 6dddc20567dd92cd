package media

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/sdp/v3"
)

// session is a leg's side of the offer/answer exchange (RFC 3264).
type session struct {
	mu       sync.Mutex
	id       uint64
	version  uint64
	last     string // our description, without its o= line
	streams  []stream
	index    int
	event    int // the payload type that telephone-event has in this session: it may not change (section 8.3.2)
	codecs   []byte
	secure   bool
	mux      bool
	securing securing
}

// begin draws the session's id: it tells nobody when or where it was made.
func (s *session) begin() {
	s.id, s.version = uint64(random32())<<30|uint64(random32())>>2, 1
	s.event, s.codecs = usualEvent, []byte{pcmu, pcma}
}

// Offer is our description for an INVITE, a re-INVITE, or the answer to an INVITE that had none. Asked again it is the same, byte for
// byte, unless something has changed; then it bears the next version.
func (l *Leg) Offer() ([]byte, error) {
	s := &l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.closed.Load() {
		return nil, ErrClosed
	}
	if s.streams == nil {
		s.secure = l.options.SRTP == Required
		s.streams = []stream{{kind: "audio", proto: plainRTP, ours: true}}
		if s.secure {
			s.streams[0].proto = secureRTP
		}
	}
	var keys []crypto
	switch {
	case s.secure && s.securing.mine.suite != "":
		keys = []crypto{s.securing.mine}
	case s.secure:
		for i, suite := range suites {
			keys = append(keys, s.securing.own(i+1, suite))
		}
	}
	return l.describe(both, s.codecs, s.event, keys), nil
}

// Accept takes the peer's answer to our offer. It may come several times: with early media, then with the answer itself, from one fork
// and then another. After an error nothing has changed.
func (l *Leg) Accept(answer []byte) error {
	d, err := parseSDP(answer)
	if err != nil {
		return err
	}
	s := &l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index >= len(d.MediaDescriptions) || s.streams == nil {
		return fmt.Errorf("%w: it answers no offer of ours", ErrBadSDP)
	}
	h, err := l.read(d, s.index, s.mux)
	if err != nil {
		return err
	}
	if h.secure() != s.secure {
		return fmt.Errorf("%w: the answer has another profile", ErrNotSecure)
	}
	h.streams = s.streams
	if !s.secure {
		l.take(h)
		return nil
	}
	for _, c := range h.crypto {
		// The tag says which of our lines was chosen (RFC 4568, section 5.1.2); a session that was agreed before has one line only.
		mine := s.securing.own(c.tag, c.suite)
		if s.securing.mine.suite == c.suite || c.tag >= 1 && c.tag <= len(suites) && suites[c.tag-1] == c.suite {
			if err := l.agree(mine, c); err != nil {
				return err
			}
			l.take(h)
			return nil
		}
	}
	return ErrNotSecure
}

// Answer answers the peer's offer: the first, or one that changes what was agreed (hold, another address, another codec). After an error
// nothing has changed.
func (l *Leg) Answer(offer []byte) ([]byte, error) {
	d, err := parseSDP(offer)
	if err != nil {
		return nil, err
	}
	s := &l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.closed.Load() {
		return nil, ErrClosed
	}
	h, err := l.choose(d)
	if err != nil {
		return nil, err
	}
	var keys []crypto
	if h.secure() {
		mine := s.securing.own(h.crypto[0].tag, h.crypto[0].suite)
		if err := l.agree(mine, h.crypto[0]); err != nil {
			return nil, err
		}
		keys = []crypto{mine}
	} else {
		l.disagree()
	}
	l.take(h)
	s.streams, s.index, s.secure, s.mux = h.streams, h.index, h.secure(), h.mux
	if h.event >= 0 {
		s.event = h.event
	}
	return l.describe(h.reply(), h.codecs, h.event, keys), nil
}

// choose takes the stream that is to carry the call: the first audio that we can do, an encrypted one before a plain one.
func (l *Leg) choose(d *sdp.SessionDescription) (*heard, error) {
	why := ErrNoCodec
	for _, secure := range []bool{true, false} {
		for i, m := range d.MediaDescriptions {
			proto := strings.Join(m.MediaName.Protos, "/")
			if plain := strings.TrimSuffix(proto, toldByPeers) == plainRTP; m.MediaName.Media != "audio" || secureProfile(proto) != secure || !secure && !plain {
				continue
			}
			if secure && l.options.SRTP == Never || !secure && l.options.SRTP == Required {
				why = ErrNotSecure
				continue
			}
			h, err := l.read(d, i, true)
			if err == nil && (!secure || len(h.crypto) > 0) {
				return h, nil
			}
			if why = err; err == nil {
				why = ErrNotSecure
			}
		}
	}
	return nil, why
}

// take lets what was agreed take effect.
func (l *Leg) take(h *heard) {
	heldBefore, quietBefore := l.held.Load(), l.quiet.Load()
	l.in.mu.Lock()
	if !h.at.Addr().IsUnspecified() {
		l.in.latch.expect(h.at)
		l.in.control.expect(h.control)
	}
	l.in.events = [2]byte{byte(l.session.event), byte(max(h.event, 0))}
	if h.event < 0 {
		l.in.events[1] = l.in.events[0]
	}
	l.in.agreed = !l.closed.Load()
	to := h.at
	if l.in.latch.used.IsValid() {
		to = l.in.latch.used
	}
	l.in.mu.Unlock()

	o := &l.out
	o.mu.Lock()
	o.pcmu, o.pcma, o.prefers, o.event = has(h.codecs, pcmu), has(h.codecs, pcma), h.codecs[0], h.event
	o.sending = !h.held() && !o.closed
	if !h.at.Addr().IsUnspecified() {
		o.to, o.control, o.reports = sockaddrOf(to, o.socket.six), sockaddrOf(h.control, o.socket.six), l.pair.rtcp
		if h.mux {
			o.reports = l.pair.rtp
		}
	}
	o.mu.Unlock()

	quiet := h.held() || h.wants == recvOnly
	if heldBefore || quietBefore || quiet {
		l.heardAt.Store(l.engine.since(time.Now()))
	}
	l.held.Store(h.held())
	l.quiet.Store(quiet)
}

// describe writes a description. The caller holds the session.
func (l *Leg) describe(wants direction, codecs []byte, event int, keys []crypto) []byte {
	s := &l.session
	family, public := "IP4", l.public
	if public.Is6() {
		family = "IP6"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "s=-\r\nc=IN %s %s\r\nt=0 0\r\n", family, public)
	for _, m := range s.streams {
		if !m.ours {
			fmt.Fprintf(&b, "m=%s 0 %s %s\r\n", m.kind, m.proto, strings.Join(m.formats, " "))
			continue
		}
		l.describeAudio(&b, m.proto, codecs, event)
		for _, k := range keys {
			fmt.Fprintf(&b, "a=crypto:%s\r\n", k)
		}
		fmt.Fprintf(&b, "a=ptime:20\r\na=%s\r\n", wants)
		if s.mux {
			b.WriteString("a=rtcp-mux\r\n")
		}
	}
	body := b.String()
	if s.last != "" && s.last != body {
		s.version++
	}
	s.last = body
	return fmt.Appendf(nil, "v=0\r\no=- %d %d IN %s %s\r\n%s", s.id, s.version, family, public, body)
}

func (l *Leg) describeAudio(b *strings.Builder, proto string, codecs []byte, event int) {
	fmt.Fprintf(b, "m=audio %d %s", l.pair.port, proto)
	for _, c := range codecs {
		b.WriteString(" " + strconv.Itoa(int(c)))
	}
	if event >= 0 {
		b.WriteString(" " + strconv.Itoa(event))
	}
	b.WriteString("\r\n")
	for _, c := range codecs {
		name := "PCMU"
		if c == pcma {
			name = "PCMA"
		}
		fmt.Fprintf(b, "a=rtpmap:%d %s/8000\r\n", c, name)
	}
	if event >= 0 {
		fmt.Fprintf(b, "a=rtpmap:%d %s\r\na=fmtp:%d 0-16\r\n", event, eventName, event)
	}
}
