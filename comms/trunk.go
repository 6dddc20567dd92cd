package comms

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/trunk"
)

// TrunkWish says what a trunk should be. Nil says nothing: what is there stays, and a new trunk has the default.
type TrunkWish struct {
	Address           *string // host or host:port
	Transport         *string // udp, tcp, tls
	Username          *string
	Password          *string
	Register          *bool
	Prefixes, Sources []string
	CallerID          *string // own, fixed, withheld
	FixedCaller       *string
	Concurrency       *int
	PerMinute         *int
	Disabled          *bool
}

// TrunksLock is taken by whoever makes or changes a trunk, so that of two who make one of the same name the second is told so.
var TrunksLock = uuid.NewSHA1(uuid.Nil, []byte("trunks"))

// PutTrunk makes the trunk of that name as wished. The name is how numbers point at it (Number.line), so it stays for life. Whoever calls
// this has seen to it that the operator asks; there is nobody to tell, because a trunk is no account's.
func (i Inside) PutTrunk(ctx context.Context, c *Change, name string, w TrunkWish) (*Trunk, error) {
	return i.s.putTrunk(ctx, c, name, w)
}

func (s *Service) putTrunk(ctx context.Context, c *change, name string, w TrunkWish) (*Trunk, error) {
	w, err := canonicalTrunk(name, w)
	if err != nil {
		return nil, err
	}
	have, err := c.tx.Trunk.Query().Where(trunk.Name(name)).Only(ctx)
	switch {
	case ent.IsNotFound(err) && w.Address == nil:
		return nil, invalid("address", "a trunk needs the address of its carrier: host or host:port")
	case ent.IsNotFound(err):
		have = nil
	case err != nil:
		return nil, fmt.Errorf("look for a trunk: %w", err)
	}
	if err := w.fits(have); err != nil {
		return nil, err
	}
	if have == nil {
		have, err = s.insertTrunk(ctx, c, name, w)
	} else {
		have, err = s.updateTrunk(ctx, c, have, w)
	}
	if err != nil {
		return nil, fmt.Errorf("store a trunk: %w", err)
	}
	return have, nil
}

func (s *Service) insertTrunk(ctx context.Context, c *change, name string, w TrunkWish) (*Trunk, error) {
	if w.Prefixes == nil {
		w.Prefixes = []string{} // nothing may be dialled until somebody says what
	}
	create := c.tx.Trunk.Create().SetName(name).SetAddress(*w.Address).SetNillableUsername(w.Username).SetNillableRegister(w.Register).
		SetPrefixes(w.Prefixes).SetSources(w.Sources).SetNillableFixedCaller(w.FixedCaller).SetNillableConcurrency(w.Concurrency).
		SetNillablePerMinute(w.PerMinute).SetNillableDisabled(w.Disabled).SetCreatedAt(c.now)
	if w.Transport != nil {
		create.SetTransport(trunk.Transport(*w.Transport))
	}
	if w.CallerID != nil {
		create.SetCallerID(trunk.CallerID(*w.CallerID))
	}
	if w.Password != nil && *w.Password != "" {
		create.SetPasswordSealed(s.keys.seal(trunkPasswordOf(name), []byte(*w.Password)))
	}
	return create.Save(ctx)
}

func (s *Service) updateTrunk(ctx context.Context, c *change, have *Trunk, w TrunkWish) (*Trunk, error) {
	update := c.tx.Trunk.UpdateOneID(have.ID).SetNillableAddress(w.Address).SetNillableUsername(w.Username).SetNillableRegister(w.Register).
		SetNillableFixedCaller(w.FixedCaller).SetNillableConcurrency(w.Concurrency).SetNillablePerMinute(w.PerMinute).SetNillableDisabled(w.Disabled)
	if w.Prefixes != nil {
		update.SetPrefixes(w.Prefixes)
	}
	if w.Sources != nil {
		update.SetSources(w.Sources)
	}
	if w.Transport != nil {
		update.SetTransport(trunk.Transport(*w.Transport))
	}
	if w.CallerID != nil {
		update.SetCallerID(trunk.CallerID(*w.CallerID))
	}
	if w.Password == nil {
		return update.Save(ctx)
	}
	// The same password is sealed anew only when it differs: otherwise a file that is loaded again would look like a change to
	// everybody who watches the trunks, and registrations would be made anew for nothing.
	old, err := s.trunkPassword(have)
	switch {
	case err != nil:
		return nil, err
	case *w.Password == "":
		update.ClearPasswordSealed()
	case *w.Password != old:
		update.SetPasswordSealed(s.keys.seal(trunkPasswordOf(have.Name), []byte(*w.Password)))
	}
	return update.Save(ctx)
}

// TrunkPassword is what the trunk's carrier knows us by; empty: nothing.
func (i Inside) TrunkPassword(t *Trunk) (string, error) { return i.s.trunkPassword(t) }

func (s *Service) trunkPassword(t *Trunk) (string, error) {
	if t.PasswordSealed == nil {
		return "", nil
	}
	plain, err := s.keys.open(trunkPasswordOf(t.Name), t.PasswordSealed)
	return string(plain), err
}

func trunkPasswordOf(name string) string { return "trunk:" + name }

// canonicalTrunk checks what can be checked without the store and brings it into the form in which it is stored.
func canonicalTrunk(name string, w TrunkWish) (TrunkWish, error) {
	if name == "" || !isWord(name) {
		return w, invalid("name", "the name must have 1 to 64 characters, and no control characters")
	}
	switch {
	case w.Address != nil && !isHost(*w.Address):
		return w, invalid("address", "address must be host or host:port")
	case w.Transport != nil && trunk.TransportValidator(trunk.Transport(*w.Transport)) != nil:
		return w, invalid("transport", "transport must be udp, tcp or tls")
	case w.CallerID != nil && trunk.CallerIDValidator(trunk.CallerID(*w.CallerID)) != nil:
		return w, invalid("callerId", "callerId must be own, fixed or withheld")
	case w.Username != nil && !isVisible(*w.Username, 0, 128):
		return w, invalid("username", "username must have at most 128 ASCII characters, and no spaces")
	case w.Password != nil && !isVisible(*w.Password, 0, 128):
		return w, invalid("password", "password must have at most 128 ASCII characters, and no spaces")
	case w.Concurrency != nil && (*w.Concurrency < 1 || *w.Concurrency > 10_000):
		return w, invalid("concurrency", "concurrency must be 1 to 10000 calls")
	case w.PerMinute != nil && (*w.PerMinute < 1 || *w.PerMinute > 100_000):
		return w, invalid("perMinute", "perMinute must be 1 to 100000 calls")
	}
	if w.FixedCaller != nil && *w.FixedCaller != "" {
		e164, err := canonical("fixedCaller", *w.FixedCaller)
		if err != nil {
			return w, err
		}
		w.FixedCaller = &e164
	}
	for i, p := range w.Prefixes {
		if p = strings.TrimPrefix(p, "+"); !isDigits(p, 1, 15) || p[0] == '0' {
			return w, invalid(fmt.Sprintf("prefixes[%d]", i), "a prefix is the beginning of E.164 numbers: 1 to 15 digits, of which the first is no 0")
		}
	}
	w.Prefixes = sortedWithout(w.Prefixes, "+")
	var err error
	w.Sources, err = canonicalNetworks(w.Sources)
	return w, err
}

// sortedWithout keeps nil and empty apart: nil says nothing, empty says none.
func sortedWithout(list []string, prefix string) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.TrimPrefix(s, prefix)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func canonicalNetworks(list []string) ([]string, error) {
	if list == nil {
		return nil, nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		p, err := netip.ParsePrefix(s)
		if a, single := netip.ParseAddr(s); single == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || p.Addr().Zone() != "" {
			return nil, invalid(fmt.Sprintf("sources[%d]", i), "a source is an address or a network: 192.0.2.1 or 192.0.2.0/24")
		}
		out[i] = p.Masked().String()
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// fits refuses wishes that contradict each other, or what is there already.
func (w TrunkWish) fits(have *Trunk) error {
	var then Trunk
	if have != nil {
		then = *have
	}
	set(&then.Username, w.Username)
	set(&then.Register, w.Register)
	set(&then.FixedCaller, w.FixedCaller)
	if w.CallerID != nil {
		then.CallerID = trunk.CallerID(*w.CallerID)
	}
	switch {
	case then.Register && then.Username == "":
		return invalid("username", "a trunk that wants REGISTER needs the user name to register")
	case then.CallerID == trunk.CallerIDFixed && then.FixedCaller == "":
		return invalid("fixedCaller", "which number is shown to all must be said where callerId is fixed")
	}
	return nil
}

// isHost tells whether s is a host, with or without a port, of which a SIP URI can be made (RFC 3261 section 25.1, hostport).
func isHost(s string) bool {
	host := s
	if h, port, err := net.SplitHostPort(s); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return false
		}
		host = h
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return a.Zone() == ""
	}
	name := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.'
	}
	return host != "" && len(host) <= 253 && strings.IndexFunc(host, func(r rune) bool { return !name(r) }) < 0
}

// isVisible tells whether s is so many visible ASCII characters: what digest (RFC 8760) can carry unquoted and unescaped by every peer.
func isVisible(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
