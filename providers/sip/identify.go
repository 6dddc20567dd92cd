package sip

import (
	"net/netip"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// identify says who sent an INVITE that begins a call: a telephone that proved who it is, or a trunk by its source. Where it says no,
// the answer has been sent already (a challenge, or a refusal).
//
// A telephone and a carrier may share an address, as they do on one machine. Whoever shows credentials for us is a telephone, and so is
// whoever registered from exactly that address and port.
func (s *Server) identify(req *sip.Request, tx sip.ServerTransaction) (caller, bool) {
	from := sourceOf(req)
	c := caller{at: address{transport: strings.ToLower(req.Transport()), at: req.Source()}}
	if h := req.Contact(); h != nil {
		c.at.uri = *h.Address.Clone()
	}
	if req.GetHeader("Proxy-Authorization") == nil && !s.registrar.knows(c.at) {
		if t := s.trunks.from(from); t != nil {
			c.trunk, c.from = t, namedCaller(req)
			return c, true
		}
	}
	phone, ok := s.prove(req, tx)
	if !ok {
		return caller{}, false
	}
	if user := req.From().Address.User; user != phone.Number && !anonymous(user, req.From().Address.Host) {
		s.reply(tx, req, 403, "Forbidden") // only as itself: RFC 3261 section 22.1 leaves that to us
		return caller{}, false
	}
	c.phone, c.at.secure = phone, phone.Secure
	return c, true
}

// namedCaller is the number of the caller as a carrier names it. P-Asserted-Identity goes before From, which the caller wrote himself
// (RFC 3325); where he asked for privacy the carrier may still say who he is, but we may not know.
func namedCaller(req *sip.Request) string {
	for _, h := range req.GetHeaders("Privacy") {
		for p := range strings.SplitSeq(h.Value(), ";") {
			if p = strings.ToLower(strings.TrimSpace(p)); p == "id" || p == "user" || p == "header" {
				return ""
			}
		}
	}
	uri := req.From().Address
	for _, h := range req.GetHeaders("P-Asserted-Identity") {
		var u sip.Uri
		if _, err := sip.ParseAddressValue(h.Value(), &u, nil); err == nil {
			uri = u
			break
		}
	}
	user := uri.User
	if uri.Scheme == "tel" {
		user = uri.Raw()
	}
	if anonymous(user, uri.Host) {
		return ""
	}
	user, _, _ = strings.Cut(user, ";") // tel-URI parameters (RFC 3966)
	if len(user) > 64 {
		return ""
	}
	return user
}

func anonymous(user, host string) bool {
	user = strings.ToLower(user)
	return user == "" || user == "anonymous" || user == "unknown" || user == "restricted" || strings.EqualFold(host, "anonymous.invalid")
}

// sourceOf is where a request came from; the zero value where the library doesn't say.
func sourceOf(req *sip.Request) netip.AddrPort {
	at, err := netip.ParseAddrPort(req.Source())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
