package sip

import (
	"bytes"
	"strconv"

	"github.com/emiago/sipgo/sip"
)

// sight is what one pass over a message tells of it. It is far cheaper than parsing it, which is why all that comes from strangers is
// looked at first: what is no SIP is refused here, and what there is no time for is answered without a transaction.
type sight struct {
	method string // empty: a response
	status int    // of a response
	uri    []byte // of a request

	via, from, to, callID, cseq []byte   // the first value of each, as it stands in the packet; nil: there is none
	further                     [][]byte // the Via headers after the first
	number                      uint32   // of CSeq
	agent                       []byte   // User-Agent
	proof                       bool     // it carries credentials
	length                      int      // Content-Length; -1: there is none
	head                        int      // where the body begins; 0: the header section does not end
	untidy                      bool     // it has space where the library does not expect it
	contact, kind               bool     // it has a Contact, a Content-Type
	odd                         bool     // it asks for something that has to be looked at before it is known what to answer

	fault fault // what is wrong with it
}

// fault is why a message is refused. The zero value: nothing is wrong.
type fault struct {
	status int // of the answer to a request; a response with a fault is dropped (RFC 3261 section 18.1.2)
	text   string
}

// Bounds of what is taken. RFC 3261 names none; the longest message of RFC 4475 (longreq) has 2.5 KB of header.
const (
	mostHead    = 16 << 10
	mostHeaders = 256
	mostBody    = 48 << 10
	mostMessage = mostHead + mostBody
)

// look reads the start line and those headers without which nothing can be answered or matched to anything.
func look(data []byte) (v sight) {
	v.length = -1
	if len(data) > mostMessage {
		data = data[:mostMessage]
		v.blame(513, "message too large")
	}
	line, rest, ok := cutLine(data)
	if !ok {
		v.blame(400, "no start line")
		return v
	}
	v.startLine(line)
	at := len(data) - len(rest)
	for n := 0; ; n++ {
		if n > mostHeaders || at > mostHead {
			v.blame(513, "too many headers")
			return v
		}
		line, rest, ok = cutHeader(data[at:])
		if !ok {
			v.blame(400, "the header section does not end")
			return v
		}
		at = len(data) - len(rest)
		if len(line) == 0 {
			v.head = at
			break
		}
		v.header(line)
	}
	v.whole()
	return v
}

// blame notes the first thing that is wrong.
func (v *sight) blame(status int, text string) {
	if v.fault.status == 0 {
		v.fault = fault{status, text}
	}
}

func (v *sight) startLine(line []byte) {
	if bytes.HasPrefix(line, []byte("SIP/")) {
		version, rest, _ := bytes.Cut(line, []byte(" "))
		code, _, _ := bytes.Cut(rest, []byte(" "))
		n, ok := digits(code, 699)
		if !ok || len(code) != 3 || n < 100 {
			v.blame(400, "no status code")
		}
		if !bytes.EqualFold(version, []byte("SIP/2.0")) {
			v.blame(505, "unknown version")
		}
		v.status = int(n)
		return
	}
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first <= 0 || first == last {
		v.method = "?"
		v.blame(400, "malformed request line")
		return
	}
	method, uri, version := line[:first], line[first+1:last], line[last+1:]
	v.method, v.uri = methodName(method), uri
	switch {
	case !isToken(method), len(uri) == 0, bytes.ContainsAny(uri, " \t<>\""):
		v.blame(400, "malformed request line")
	case len(version) < 4 || !bytes.EqualFold(version[:4], []byte("SIP/")):
		v.blame(400, "malformed request line")
	case !bytes.EqualFold(version, []byte("SIP/2.0")):
		v.blame(505, "unknown version")
	case !known[sip.RequestMethod(v.method)] && known[sip.RequestMethod(bytes.ToUpper(method))]:
		v.blame(501, "unknown method") // small letters make another (RFC 3261 section 7.1), and the library would make them large
	default:
		v.scheme()
	}
}

// scheme refuses what is no SIP URI (RFC 3261 section 8.2.2.1). The library can't read every other one (RFC 4475 section 3.3.3).
func (v *sight) scheme() {
	scheme, _, ok := bytes.Cut(v.uri, []byte(":"))
	switch {
	case !ok || !isToken(scheme):
		v.blame(400, "malformed Request-URI")
	case !bytes.EqualFold(scheme, []byte("sip")) && !bytes.EqualFold(scheme, []byte("sips")):
		v.blame(416, "unknown scheme")
	}
}

// methodName avoids an allocation for the methods that there are.
func methodName(m []byte) string {
	switch string(m) {
	case "INVITE":
		return "INVITE"
	case "ACK":
		return "ACK"
	case "BYE":
		return "BYE"
	case "CANCEL":
		return "CANCEL"
	case "REGISTER":
		return "REGISTER"
	case "OPTIONS":
		return "OPTIONS"
	}
	return string(m)
}

func (v *sight) header(line []byte) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		v.blame(400, "a header without a name")
		return
	}
	name, value := bytes.TrimRight(line[:colon], " \t"), bytes.Trim(line[colon+1:], " \t\r\n")
	if !isToken(name) {
		v.blame(400, "a header without a name")
		return
	}
	kind := headerOf(name)
	if kind != headOther && !v.untidy {
		v.untidy = kind != headAgent && kind != headProof && kind != headKind && kind != headOdd && untidy(value)
	}
	switch kind {
	case headVia:
		if v.via == nil {
			v.via = value
		} else {
			v.further = append(v.further, value)
		}
	case headFrom:
		v.once(&v.from, value, "From")
	case headTo:
		v.once(&v.to, value, "To")
	case headCallID:
		v.once(&v.callID, value, "Call-ID")
	case headCSeq:
		v.once(&v.cseq, value, "CSeq")
	case headContact:
		v.contact = true
		if !soundAddresses(value, true) {
			v.blame(400, "malformed Contact")
		}
	case headLength:
		n, ok := digits(value, mostBody)
		if !ok || v.length >= 0 {
			v.blame(400, "malformed Content-Length")
			return
		}
		v.length = int(n)
	case headForwards:
		hops, ok := digits(value, 255)
		if !ok {
			v.blame(400, "malformed Max-Forwards")
		}
		v.odd = v.odd || hops == 0
	case headAgent:
		v.agent = value
	case headProof:
		v.proof = true
	case headKind:
		v.kind = true
		v.odd = v.odd || !bytes.EqualFold(value, []byte(sdpType))
	case headOdd:
		v.odd = true
	}
}

// once takes a header that a message has once (RFC 3261 section 7.3.1).
func (v *sight) once(place *[]byte, value []byte, name string) {
	if *place != nil {
		v.blame(400, "more than one "+name)
		return
	}
	*place = value
}

// whole checks what can be checked only at the end of the header section.
func (v *sight) whole() {
	switch {
	case len(v.via) == 0:
		v.blame(400, "no Via")
	case len(v.from) == 0:
		v.blame(400, "no From")
	case len(v.to) == 0:
		v.blame(400, "no To")
	case len(v.callID) == 0:
		v.blame(400, "no Call-ID")
	case len(v.cseq) == 0:
		v.blame(400, "no CSeq")
	case !soundAddresses(v.from, false):
		v.blame(400, "malformed From")
	case !soundAddresses(v.to, false):
		v.blame(400, "malformed To")
	case !soundVia(v.via):
		v.blame(400, "malformed Via")
	}
	if len(v.cseq) == 0 {
		return
	}
	at := bytes.IndexAny(v.cseq, " \t\r")
	if at < 0 {
		v.blame(400, "malformed CSeq")
		return
	}
	n, ok := digits(v.cseq[:at], 1<<31-1) // RFC 3261 section 8.1.1.5
	if !ok {
		v.blame(400, "malformed CSeq")
	}
	v.number = uint32(n)
	if v.method != "" && string(bytes.TrimLeft(v.cseq[at:], " \t\r\n")) != v.method {
		v.blame(400, "CSeq names another method")
	}
}

// cutLine cuts off the first line, without its CRLF.
func cutLine(data []byte) (line, rest []byte, ok bool) {
	return bytes.Cut(data, []byte("\r\n"))
}

// cutHeader cuts off the first header with the lines into which it is folded (RFC 3261 section 7.3.1).
func cutHeader(data []byte) (line, rest []byte, ok bool) {
	line, rest, ok = cutLine(data)
	if len(line) == 0 {
		return line, rest, ok
	}
	for ok && len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
		var more []byte
		more, rest, ok = cutLine(rest)
		line = data[:len(line)+2+len(more)]
	}
	return line, rest, ok
}

// digits reads a number of digits only, at most most.
func digits(b []byte, most uint64) (uint64, bool) {
	if len(b) == 0 || len(b) > 10 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	return n, err == nil && n <= most
}
