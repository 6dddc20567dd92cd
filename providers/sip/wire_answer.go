package sip

import (
	"bytes"
	"encoding/hex"
	"hash/maphash"
	"net/netip"
	"strconv"
)

// answer is a response that is made without a transaction (RFC 3261 section 8.2.7): to what is malformed, and to new calls for which
// there is no time.
type answer struct {
	status int
	reason string
	more   string // further headers, each with its CRLF
}

// tagSeed keys the To tags of such answers: the same for each retransmission, so that the ACK to one is known again (knows).
var tagSeed = maphash.MakeSeed()

const tagMark = "sl-"

// tag is the To tag of an answer without a transaction.
func (v *sight) tag() string {
	var h maphash.Hash
	h.SetSeed(tagSeed)
	_, _ = h.Write(v.callID) // a hash takes everything
	_ = h.WriteByte(0)       // as above
	h.WriteString(strconv.FormatUint(uint64(v.number), 10))
	return tagMark + hex.EncodeToString(h.Sum(nil))
}

// ours tells whether a message, an ACK, is to such an answer.
func (v *sight) ours() bool {
	tag, ok := parameter(v.to, "tag")
	return ok && tag == v.tag()
}

// sentence refuses a message with an answer.
func (a answer) sentence(v *sight, source netip.AddrPort) sentence {
	return sentence{answer: a.to(v, source), back: v.back(source)}
}

// back is where an answer by UDP goes: to the port that the topmost Via names (RFC 3261 section 18.2.2), unless that asks for the one from
// which the message was sent (RFC 3581 section 4), or says nothing that could be understood.
func (v *sight) back(source netip.AddrPort) netip.AddrPort {
	if _, asked := parameter(v.via, "rport"); asked || !soundVia(v.via) {
		return source
	}
	first, _, _ := bytes.Cut(v.via, []byte(","))
	first, _, _ = bytes.Cut(first, []byte(";"))
	first = bytes.TrimRight(first, " \t\r\n")
	sentBy := first[bytes.LastIndexAny(first, " \t\r\n")+1:]
	at := bytes.LastIndexByte(sentBy, ':')
	if at < bytes.LastIndexByte(sentBy, ']') || at < 0 {
		return netip.AddrPortFrom(source.Addr(), usualPort)
	}
	port, ok := digits(sentBy[at+1:], 65535)
	if !ok || port == 0 {
		return source
	}
	return netip.AddrPortFrom(source.Addr(), uint16(port))
}

// usualPort is that of who names none.
const usualPort = 5060

// to writes the response to the message of a source. It repeats what it must of the request (RFC 3261 section 8.2.6.2) and says where
// the request came from (RFC 3581 section 4). Nil: what was sent does not say whom to answer.
func (a answer) to(v *sight, source netip.AddrPort) []byte {
	if len(v.via) == 0 {
		return nil
	}
	var b bytes.Buffer
	b.WriteString("SIP/2.0 " + strconv.Itoa(a.status) + " " + a.reason + "\r\nVia: ")
	writeVia(&b, v.via, source)
	line := func(name string, value []byte, more string) {
		if len(value) > 0 {
			b.WriteString("\r\n" + name + ": ")
			unfold(&b, value)
			b.WriteString(more)
		}
	}
	for _, via := range v.further {
		line("Via", via, "")
	}
	line("From", v.from, "")
	more := ""
	if _, has := parameter(v.to, "tag"); !has {
		more = ";tag=" + v.tag()
	}
	line("To", v.to, more)
	line("Call-ID", v.callID, "")
	line("CSeq", v.cseq, "")
	b.WriteString("\r\n" + a.more + "Content-Length: 0\r\n\r\n")
	return b.Bytes()
}

// writeVia repeats a Via and adds received and, where it is asked for, rport. What follows the first value is repeated as it is.
func writeVia(b *bytes.Buffer, via []byte, source netip.AddrPort) {
	first, others := via, []byte(nil)
	if at := bytes.IndexByte(via, ','); at >= 0 {
		first, others = via[:at], via[at:]
	}
	var plain bytes.Buffer
	unfold(&plain, first)
	for i, part := range bytes.Split(plain.Bytes(), []byte(";")) {
		name, value, _ := bytes.Cut(part, []byte("="))
		name = bytes.TrimSpace(name)
		switch {
		case i > 0 && bytes.EqualFold(name, []byte("received")):
			continue
		case i > 0 && bytes.EqualFold(name, []byte("rport")) && len(value) == 0:
			b.WriteString(";rport=" + strconv.Itoa(int(source.Port())))
			continue
		case i > 0:
			b.WriteByte(';')
		}
		b.Write(part)
	}
	b.WriteString(";received=" + source.Addr().WithZone("").String())
	unfold(b, others)
}

// unfold writes a value in one line.
func unfold(b *bytes.Buffer, value []byte) {
	for _, c := range value {
		if c == '\r' || c == '\n' {
			c = ' '
		}
		b.WriteByte(c)
	}
}
