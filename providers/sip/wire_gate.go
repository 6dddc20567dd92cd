package sip

import (
	"bytes"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
)

// gate judges each message before it is parsed. It holds no state of SIP: only who sends how much, and whether there is time.
type gate struct {
	sources *sources
	friend  func(netip.Addr) bool // a carrier's network
	busy    func(v *sight) bool   // there is no time for this new call
	ask     challenger            // asks who begins a call for a proof; nil: whoever answers the call does
	told    counters              // what was refused
}

// counters of what came in.
type counters struct {
	taken, malformed, throttled, scanners, shed, unparsed, dropped atomic.Uint64
}

// sentence is what the gate says of a message.
type sentence struct {
	pass   bool
	within bool           // it belongs to something that there is: it is a response, or its To has a tag
	tidied []byte         // passes instead of what came; nil: that itself does
	answer []byte         // sent back where it does not pass; nil: nothing is
	back   netip.AddrPort // where to, by UDP; by a stream it goes back on that
	hangUp bool           // a stream that carried it is closed
}

// scanners are words of the User-Agents of tools that look for open servers. Who hides it is caught by the throttles.
var scanners = [][]byte{[]byte("friendly-scanner"), []byte("sipvicious"), []byte("sipcli"), []byte("sundayddr"), []byte("sip-scan"),
	[]byte("sipscan"), []byte("vaxsipuseragent"), []byte("iwar"), []byte("pplsip"), []byte("friendly-request"), []byte("sivus"), []byte("gulp")}

// calm answers that there is no time now. Retry-After keeps the caller's phone from asking again at once (RFC 3261 section 21.5.4).
var calm = answer{503, "Service Unavailable", "Retry-After: 5\r\n"}

// judge looks at one message of a source.
func (g *gate) judge(data []byte, from netip.AddrPort, now time.Time) sentence {
	friend := g.friend(from.Addr())
	if !g.sources.accepts(from.Addr(), friend, now) {
		g.told.throttled.Add(1)
		return sentence{hangUp: true}
	}
	v := look(data)
	if v.fault.status == 0 && v.length > len(data)-v.head { // RFC 3261 section 18.3; what is beyond Content-Length is ignored
		v.blame(400, "the body is shorter than Content-Length")
	}
	if v.fault.status != 0 {
		g.told.malformed.Add(1)
		if v.method == "" || v.method == "ACK" {
			return sentence{}
		}
		return answer{status: v.fault.status, reason: reasonOf(v.fault)}.sentence(&v, from)
	}
	if v.method == "" {
		g.told.taken.Add(1)
		return sentence{pass: true, within: true}
	}
	if !friend && isScanner(v.agent) {
		g.told.scanners.Add(1)
		g.sources.banish(from.Addr(), now)
		return sentence{hangUp: true}
	}
	_, within := parameter(v.to, "tag")
	switch v.method {
	case "INVITE":
		if within {
			break
		}
		if g.busy(&v) {
			g.told.shed.Add(1)
			return calm.sentence(&v, from)
		}
		if !friend && v.plain() && g.ask != nil {
			if a := g.ask(&v, from, now); a != nil {
				g.told.taken.Add(1)
				return a.sentence(&v, from)
			}
		}
	case "ACK":
		if v.ours() {
			return sentence{}
		}
	}
	g.told.taken.Add(1)
	if v.untidy {
		return sentence{pass: true, within: within, tidied: tidied(data, &v)}
	}
	return sentence{pass: true, within: within}
}

// parses tells whether the library can read what passed. Of a stream it must be known before: sipgo v1.7.2 ends the connection, with all
// calls on it, for one message that it can't read, and the process, if it should fail at it, because it reads in a goroutine of its own.
func (g *gate) parses(message []byte, s *sentence, from netip.AddrPort) (ok bool) {
	defer func() {
		if p := recover(); p != nil || !ok {
			g.told.unparsed.Add(1)
			if v := look(message); v.method != "" && v.method != "ACK" {
				s.answer = answer{status: 400, reason: "Bad Request"}.to(&v, from)
			}
			ok = false
		}
	}()
	if s.tidied != nil {
		message = s.tidied
	}
	_, err := sip.ParseMessage(message)
	return err == nil
}

// reasonOf says what is wrong, so that whoever wrote the phone can find it.
func reasonOf(f fault) string {
	switch f.status {
	case 416:
		return "Unsupported URI Scheme"
	case 501:
		return "Not Implemented"
	case 505:
		return "Version Not Supported"
	case 513:
		return "Message Too Large"
	}
	return "Bad Request (" + f.text + ")"
}

func isScanner(agent []byte) bool {
	if len(agent) == 0 || len(agent) > 200 {
		return false
	}
	lower := bytes.ToLower(agent)
	for _, s := range scanners {
		if bytes.Contains(lower, s) {
			return true
		}
	}
	return false
}

// keepAlive tells whether a datagram only keeps a NAT open: CRLF (RFC 5626 section 3.5.1), zeros, or STUN.
func keepAlive(data []byte) bool {
	if len(data) >= 20 && data[0] < 4 && bytes.Equal(data[4:8], []byte{0x21, 0x12, 0xA4, 0x42}) {
		return true
	}
	return len(bytes.Trim(data, "\r\n\x00 ")) == 0
}
