package pool

import (
	"context"
	"fmt"
	"net"
	"strings"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/contact"
	"switchboard/ent/number"
	"switchboard/ent/sipnumber"
	"switchboard/internal/clock"
)

// Pool is everything that an account can call from and with: its numbers, each with its groups, and its telephones, all oldest first.
type Pool struct {
	Numbers []*comms.Number
	Phones  []*Phone
}

// Phone is a telephone with its password, and where it is registered.
type Phone struct {
	*comms.SipNumber
	Password   string
	Registered *Registration // nil: nowhere. Of several places the one where it registered last
}

// Registration is a place where a telephone is registered.
type Registration struct {
	At     string // host:port where it is reached
	Device string // what it calls itself: its User-Agent
	WebRTC bool   // it came by WebSocket (RFC 7118)
	NAT    bool   // the address that it thinks it has is not the one that it came from
}

// Pool is the caller's pool, in a number of statements that nothing makes grow. It holds passwords, so it is for those who may make
// telephones.
func (s *Service) Pool(ctx context.Context) (*Pool, error) {
	a, err := comms.Demand(ctx, comms.ReadNumbers|comms.WriteNumbers)
	if err != nil {
		return nil, err
	}
	out := &Pool{}
	db := s.in.Read()
	out.Numbers, err = db.Number.Query().Where(number.AccountID(a.AccountID)).WithGroups(sortedGroups).
		Order(number.ByCreatedAt(), number.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the numbers of a pool: %w", err)
	}
	phones, err := db.SipNumber.Query().Where(sipnumber.AccountID(a.AccountID)).WithContacts(func(q *ent.ContactQuery) {
		q.Where(contact.ExpiresAtGT(clock.Now())).Order(contact.ByCreatedAt(), contact.ByID())
	}).Order(sipnumber.ByCreatedAt(), sipnumber.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the telephones of a pool: %w", err)
	}
	out.Phones = make([]*Phone, len(phones))
	for i, p := range phones {
		password, err := s.in.Open(comms.PhonePasswordOf(p.Number), p.PasswordSealed)
		if err != nil {
			return nil, err
		}
		out.Phones[i] = &Phone{SipNumber: p, Password: string(password)}
		if list := p.Edges.Contacts; len(list) > 0 {
			out.Phones[i].Registered = registration(list[len(list)-1])
		}
	}
	return out, nil
}

func registration(c *comms.Contact) *Registration {
	return &Registration{At: c.Source, Device: c.UserAgent, WebRTC: c.Transport == "ws" || c.Transport == "wss", NAT: translated(c)}
}

// translated tells whether something between the telephone and us changed its address: the one in its Contact (RFC 3261 section 8.1.1.8) is not
// the one that its REGISTER came from. Over a connection the port says nothing, for it leaves from another than it listens on.
func translated(c *comms.Contact) bool {
	host, port := hostPort(c.URI)
	fromHost, fromPort, err := net.SplitHostPort(c.Source)
	if err != nil {
		return false
	}
	own, from := net.ParseIP(host), net.ParseIP(strings.TrimSuffix(fromHost, "%"+zone(fromHost)))
	if own == nil || from == nil || !own.Equal(from) {
		return !strings.EqualFold(host, fromHost)
	}
	return c.Transport == "udp" && port != fromPort
}

// zone is that of an IPv6 address, which is of no matter to anybody else.
func zone(host string) string {
	_, z, _ := strings.Cut(host, "%")
	return z
}

// hostPort is the address in a SIP URI (RFC 3261 section 19.1.1): what stands between the user and the parameters.
func hostPort(uri string) (host, port string) {
	scheme, rest, _ := strings.Cut(uri, ":")
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	rest, _, _ = strings.Cut(rest, ";")
	rest = strings.TrimSuffix(rest, ">")
	port = "5060"
	if strings.EqualFold(scheme, "sips") {
		port = "5061"
	}
	if h, p, err := net.SplitHostPort(rest); err == nil {
		return h, p
	}
	return strings.Trim(rest, "[]"), port
}
