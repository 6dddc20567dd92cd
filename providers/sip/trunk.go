package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"
	"github.com/icholy/digest"

	"switchboard/comms/call"
)

// trunkLine is a line to a carrier, as this room keeps it.
type trunkLine struct {
	*call.TrunkLine
	host    string // of its address
	port    int    // as given, or that of its transport
	given   bool   // a port was given
	sources []netip.Prefix

	mu     sync.Mutex
	atOnce int
	begun  bucket
	state  trunkState
	found  []netip.Addr // what the name of the host stands for, where no sources are given
}

// trunkState is what is known of a carrier.
type trunkState struct {
	Registered string    // "", "trying", "registered" or "failed"
	Problem    string    // why it failed
	Until      time.Time // when the registration ends
	Reachable  bool      // it answered our last OPTIONS, or anything since
	Asked      bool      // OPTIONS has been sent and answered, or not
}

func newTrunk(t *call.TrunkLine) (*trunkLine, error) {
	l := &trunkLine{TrunkLine: t, host: t.Address}
	if host, port, err := net.SplitHostPort(t.Address); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("the address of trunk %s has no port number: %w", t.Name, err)
		}
		l.host, l.port, l.given = host, int(n), true
	}
	if !l.given {
		l.port = sip.DefaultPort(l.transport())
	}
	l.host = strings.Trim(l.host, "[]")
	for _, text := range t.Sources {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("a source of trunk %s is no network: %w", t.Name, err)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		l.sources = append(l.sources, netip.PrefixFrom(p.Addr().Unmap(), p.Bits()).Masked())
	}
	if a, err := netip.ParseAddr(l.host); err == nil {
		l.found = []netip.Addr{a.Unmap()}
	}
	return l, nil
}

func (t *trunkLine) transport() string { return string(t.Transport) }

// address is where the carrier is asked for a number: E.164 with +. An empty number: the carrier itself.
func (t *trunkLine) address(number string) address {
	uri := sip.Uri{Scheme: "sip", User: number, Host: t.host}
	if t.given {
		uri.Port = t.port
	}
	if t.transport() != "udp" {
		uri.UriParams.Add("transport", t.transport())
	}
	return address{transport: t.transport(), at: net.JoinHostPort(t.host, strconv.Itoa(t.port)), uri: uri, secure: t.transport() == "tls"}
}

var errNoCredentials = errors.New("the carrier asks for a password, and the trunk has none")

// authorize puts the answer to a carrier's challenge (401 or 407) into req (RFC 3261 section 22), which then is sent in a transaction of
// its own: its CSeq is raised and its Via is taken out.
func (t *trunkLine) authorize(req *sip.Request, res *sip.Response) error {
	if t.Username == "" {
		return errNoCredentials
	}
	ask, with := "WWW-Authenticate", "Authorization"
	if res.StatusCode == sip.StatusProxyAuthRequired {
		ask, with = "Proxy-Authenticate", "Proxy-Authorization"
	}
	if old := req.GetHeader(with); old != nil && !staleIn(res, ask) {
		return fmt.Errorf("trunk %s: the carrier refuses our password", t.Name)
	}
	for _, h := range res.GetHeaders(ask) {
		c, err := digest.ParseChallenge(h.Value())
		if err != nil || !digest.CanDigest(c) {
			continue
		}
		c.Algorithm = strings.ToUpper(c.Algorithm)
		answer, err := digest.Digest(c, digest.Options{Method: string(req.Method), URI: req.Recipient.Addr(), Username: t.Username, Password: t.Password})
		if err != nil {
			continue
		}
		req.RemoveHeader(with)
		req.AppendHeader(sip.NewHeader(with, answer.String()))
		req.RemoveHeader("Via")
		req.CSeq().SeqNo++
		return nil
	}
	return fmt.Errorf("trunk %s: the carrier asks for a proof that we can't give", t.Name)
}

// staleIn tells whether a challenge only says that the nonce was too old (RFC 7616 section 3.3).
func staleIn(res *sip.Response, name string) bool {
	for _, h := range res.GetHeaders(name) {
		if c, err := digest.ParseChallenge(h.Value()); err == nil && c.Stale {
			return true
		}
	}
	return false
}

// take counts a new call through the line, of either direction. It says no where the line has enough at once or in this minute; release
// ends it, once.
func (t *trunkLine) take() (release func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Concurrency > 0 && t.atOnce >= t.Concurrency || !t.begun.take(Rate{t.PerMinute, time.Minute}, 1, time.Now()) {
		return func() {}, false
	}
	t.atOnce++
	var once sync.Once
	return func() {
		once.Do(func() {
			t.mu.Lock()
			t.atOnce--
			t.mu.Unlock()
		})
	}, true
}

// matches tells how exactly a source is one of the carrier's: the length of the network, 0: it is not; a whole address with the port of
// the line goes before all.
func (t *trunkLine) matches(from netip.AddrPort) int {
	best := 0
	for _, p := range t.sources {
		if p.Contains(from.Addr()) {
			best = max(best, p.Bits()+1)
		}
	}
	if len(t.sources) == 0 {
		t.mu.Lock()
		if slices.Contains(t.found, from.Addr()) {
			best = 129
		}
		t.mu.Unlock()
	}
	if best > 0 && int(from.Port()) == t.port {
		best += 1000
	}
	return best
}

// trunks are the lines that there are.
type trunks struct {
	mu   sync.Mutex
	byID map[uuid.UUID]*trunkLine
	stop map[uuid.UUID]context.CancelFunc // what tends a line
}

// trunk is the line with that id.
func (s *Server) trunk(id uuid.UUID) (*trunkLine, bool) {
	s.trunks.mu.Lock()
	defer s.trunks.mu.Unlock()
	t, ok := s.trunks.byID[id]
	return t, ok
}

func (ts *trunks) all() []*trunkLine {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	out := make([]*trunkLine, 0, len(ts.byID))
	for _, t := range ts.byID {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *trunkLine) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// from is the line whose carrier sends from an address: the one that names it most exactly, then by name; nil: none.
func (ts *trunks) from(at netip.AddrPort) (best *trunkLine) {
	most := 0
	for _, t := range ts.all() {
		if n := t.matches(at); n > most {
			best, most = t, n
		}
	}
	return best
}

// friend tells whether an address is a carrier's.
func (ts *trunks) friend(a netip.Addr) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.byID {
		if t.matches(netip.AddrPortFrom(a, 0)) > 0 {
			return true
		}
	}
	return false
}
