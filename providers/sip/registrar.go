package sip

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/clock"
)

// binding is one contact of a telephone: where it is reached is where its REGISTER came from, which serves those behind NAT as well.
type binding struct {
	uri     sip.Uri
	text    string // of the URI
	at      string
	by      string // transport, lower case
	agent   string
	callID  string
	cseq    uint32
	q       float64
	secure  bool
	expires time.Time
}

func (b *binding) address() address {
	return address{transport: b.by, at: b.at, uri: *b.uri.Clone(), secure: b.secure}
}

// registrar is the location service (RFC 3261 section 10): in memory, because every call asks it. The rules keep it across restarts.
type registrar struct {
	turns [64]sync.Mutex // of telephones, by a byte of their ids: one thing happens to one at a time, here and in the rules

	mu     sync.Mutex
	phones map[uuid.UUID][]*binding
	places map[place]map[uuid.UUID]int // how many bindings of which telephone are reached there
}

// turn waits until nobody else changes the bindings of a telephone.
func (r *registrar) turn(phone uuid.UUID) (done func()) {
	m := &r.turns[int(phone[15])%len(r.turns)]
	m.Lock()
	return m.Unlock
}

// place is a transport and an address.
type place struct{ by, at string }

func newRegistrar() *registrar {
	return &registrar{phones: map[uuid.UUID][]*binding{}, places: map[place]map[uuid.UUID]int{}}
}

// contactsOf is where a telephone can be reached now: each contact that it has registered and that has not expired, the preferred first.
func (s *Server) contactsOf(phone uuid.UUID) []address {
	now := time.Now()
	var out []address
	for _, b := range s.registrar.of(phone, now) {
		out = append(out, b.address())
	}
	return out
}

// of is a copy of a telephone's bindings.
func (r *registrar) of(phone uuid.UUID, now time.Time) []binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []binding
	for _, b := range r.phones[phone] {
		if now.Before(b.expires) {
			out = append(out, *b)
		}
	}
	slices.SortStableFunc(out, func(a, b binding) int { return cmp.Compare(b.q, a.q) })
	return out
}

// knows tells whether a telephone is registered from exactly that address.
func (r *registrar) knows(a address) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.places[place{a.transport, a.at}]) > 0
}

// put adds a binding, or replaces the one of the same URI.
func (r *registrar) put(phone uuid.UUID, b *binding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(phone, func(o *binding) bool { return o.text == b.text })
	r.phones[phone] = append(r.phones[phone], b)
	p := place{b.by, b.at}
	if r.places[p] == nil {
		r.places[p] = map[uuid.UUID]int{}
	}
	r.places[p][phone]++
}

// drop removes those that match. The lock must be held.
func (r *registrar) drop(phone uuid.UUID, match func(*binding) bool) (gone []*binding) {
	r.phones[phone] = slices.DeleteFunc(r.phones[phone], func(b *binding) bool {
		if !match(b) {
			return false
		}
		gone = append(gone, b)
		p := place{b.by, b.at}
		if r.places[p][phone]--; r.places[p][phone] <= 0 {
			delete(r.places[p], phone)
		}
		if len(r.places[p]) == 0 {
			delete(r.places, p)
		}
		return true
	})
	if len(r.phones[phone]) == 0 {
		delete(r.phones, phone)
	}
	return gone
}

// remove drops one URI of a telephone; "*": all.
func (r *registrar) remove(phone uuid.UUID, uri string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(phone, func(b *binding) bool { return uri == "*" || b.text == uri })
}

// expire drops what has run out. The rules find that by themselves, and tell.
func (r *registrar) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for phone := range r.phones {
		r.drop(phone, func(b *binding) bool { return !now.Before(b.expires) })
	}
}

// at are the telephones that are reached at a place.
func (r *registrar) at(p place) (phones []uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for phone := range r.places[p] {
		phones = append(phones, phone)
	}
	return phones
}

// over drops the bindings of a telephone that were reached over a connection that ended.
func (r *registrar) over(phone uuid.UUID, p place) []*binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drop(phone, func(b *binding) bool { return b.by == p.by && b.at == p.at })
}

func (r *registrar) count() (phones, contacts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range r.phones {
		contacts += len(list)
	}
	return len(r.phones), contacts
}

// behindNAT are the addresses of telephones that are reached by UDP elsewhere than they think.
func (r *registrar) behindNAT() (out []netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range r.phones {
		for _, b := range list {
			if at, err := netip.ParseAddrPort(b.at); b.by == "udp" && err == nil && b.uri.Host != at.Addr().String() {
				out = append(out, at)
			}
		}
	}
	return out
}

// keepOpen sends to telephones behind NAT what they pass over (RFC 3261 section 7.5), so that calls still get through to those that do not
// do so themselves: routers forget after 30 s.
func (s *Server) keepOpen() {
	for _, at := range s.registrar.behindNAT() {
		_, _ = s.sockets.udp.WriteToUDPAddrPort([]byte("\r\n\r\n"), at) // the next one may get there
	}
}

// hungUp forgets the contacts of a connection that has ended: only the telephone can open another.
func (s *Server) hungUp(by string, from netip.AddrPort) {
	if s.stopping.Load() { // they come back after a restart, and need not be told to be gone for that
		return
	}
	p := place{by, from.String()}
	for _, phone := range s.registrar.at(p) {
		done := s.registrar.turn(phone) // it may be registering by another connection at this moment
		for _, b := range s.registrar.over(phone, p) {
			s.forgetContact(phone, b)
		}
		done()
	}
}

func (s *Server) forgetContact(phone uuid.UUID, b *binding) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.life), ruleTime)
	defer cancel()
	err := s.rules.SaveContact(ctx, call.SaveContact{Phone: phone, URI: b.text, CallID: b.callID, CSeq: int64(b.cseq)})
	if err != nil && !comms.IsCode(err, comms.NotFound) {
		s.log.ErrorContext(ctx, "a contact can't be removed", "error", err)
	}
}

// loadContacts takes over what was registered before this process began. Connections did not outlive the one before.
func (s *Server) loadContacts(ctx context.Context) error {
	rows, err := s.rules.Contacts(ctx)
	if err != nil {
		return err
	}
	var lost []uuid.UUID
	for _, row := range rows {
		switch {
		case s.opt.Node != "" && row.Node != s.opt.Node: // another process reaches it
			continue
		case row.Transport != "udp":
			lost = append(lost, row.ID)
			continue
		}
		b := &binding{text: row.URI, at: row.Source, by: row.Transport, agent: row.UserAgent, callID: row.CallID, cseq: uint32(row.Cseq),
			q: 1, expires: expiry(row.ExpiresAt)}
		if sip.ParseUri(row.URI, &b.uri) == nil {
			s.registrar.put(row.SipNumberID, b)
		}
	}
	if len(lost) > 0 {
		return s.rules.ForgetContacts(ctx, lost)
	}
	return nil
}

func expiry(at *clock.Micros) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.Time()
}
