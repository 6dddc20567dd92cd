package sip

import (
	"bytes"
	"net/netip"
	"strings"
	"time"
)

// challenger asks for a proof without a transaction; nil: this message has to go the long way.
type challenger func(v *sight, from netip.AddrPort, now time.Time) *answer

// plain tells whether nothing about a new call asks for more than the question who calls. Whatever else there is to say of it is said when
// it comes again with a proof (RFC 3261 section 8.2: authentication comes first).
func (v *sight) plain() bool {
	_, tagged := parameter(v.from, "tag")
	return tagged && !v.proof && !v.odd && !v.untidy && v.contact && (v.kind || v.length <= 0)
}

// challenge asks a telephone that begins a call for its password (407), without a transaction: that is what RFC 3261 section 8.2.7 has the
// stateless answer for. Half of all INVITEs come so, and whoever makes up callers makes up only these.
func (s *Server) challenge(v *sight, from netip.AddrPort, now time.Time) *answer {
	tag, _ := parameter(v.from, "tag")
	branch, _ := parameter(v.via, "branch")
	plain := false
	switch s.invites.take(inviteKey(string(v.callID), tag, v.number), branch, now) {
	case isNew:
		plain = s.doorman.confused(string(v.agent), asker(from.String(), userIn(v.from)), now)
	case isAgain: // our answer was lost: he is not confused
	case isMerged:
		return nil
	}
	var more strings.Builder
	for _, h := range s.doorman.challenges("Proxy-Authenticate", plain, false, now) {
		more.WriteString(h.Name() + ": " + h.Value() + "\r\n")
	}
	more.WriteString("Server: " + agent + "\r\n")
	return &answer{407, "Proxy Authentication Required", more.String()}
}

// userIn is the user part of a From or To as it stands in the message; empty: it has none.
func userIn(value []byte) string {
	if at := bytes.IndexByte(value, '<'); at >= 0 {
		value = value[at+1:]
	}
	_, value, _ = bytes.Cut(value, []byte(":"))
	user, _, ok := bytes.Cut(value, []byte("@"))
	if !ok {
		return ""
	}
	user, _, _ = bytes.Cut(user, []byte(":")) // a password
	return string(user)
}
