package sip

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// FuzzGate shows the gate whatever may come. It must never fail; what it lets pass must be such that the library does not fail at it
// either; and what it answers must be a message, no longer than the question but for what every answer has.
func FuzzGate(f *testing.F) {
	files, err := filepath.Glob("testdata/torture/*.dat")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\r\n\r\n"))
	from := netip.MustParseAddrPort("192.0.2.1:5060")
	parser, all := sip.NewParser(), newSources(Throttle{Off: true})
	f.Fuzz(func(t *testing.T, data []byte) {
		g := &gate{sources: all, friend: func(netip.Addr) bool { return false }, busy: func(*sight) bool { return len(data)%2 == 0 }}
		s := g.judge(append([]byte{}, data...), from, time.Now())
		if s.pass {
			message := data
			if s.tidied != nil {
				message = s.tidied
			}
			m, err := parser.ParseSIP(message)
			if err != nil {
				return // counted, and dropped
			}
			if req, ok := m.(*sip.Request); ok {
				req.SetTransport("UDP")
				req.SetSource(from.String())
				if _, err := sip.ServerTxKeyMake(req); err == nil {
					_ = sip.NewResponseFromRequest(req, 400, "Bad Request", nil).String()
				}
				unsupported(req)
				if req.From() != nil && req.To() != nil && req.CallID() != nil && req.CSeq() != nil {
					wishesOf(req)
					namedCaller(req)
				}
			}
		}
		if s.answer != nil {
			if len(s.answer) > len(data)+400 {
				t.Errorf("%d bytes are answered with %d", len(data), len(s.answer))
			}
			if size, err := frame(s.answer); err != nil || size != len(s.answer) {
				t.Errorf("the answer is no message: %q", s.answer)
			}
		}
	})
}

// FuzzFrame cuts whatever may come into messages: each is what it says it is, and together they are what came.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("OPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabcINVITE"))
	f.Add([]byte("l: 0\r\n\r\n"))
	f.Add([]byte("X\r\nl:\r\n 5\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for len(data) > 0 {
			size, err := frame(data)
			if err != nil || size == 0 {
				return
			}
			if size < 4 || size > mostMessage+4 {
				t.Fatalf("a message of %d bytes", size)
			}
			if size > len(data) {
				return
			}
			if v := look(data[:size]); v.fault.status == 0 && v.head+max(v.length, 0) != size {
				t.Fatalf("framed %d bytes, and looked at %d and %d: %q", size, v.head, v.length, data[:size])
			}
			data = data[size:]
		}
	})
}

// FuzzCredentials shows the doorman whatever may stand in Authorization.
func FuzzCredentials(f *testing.F) {
	d := newDoorman("switchboard", []byte("secret"))
	now := time.Now()
	f.Add(`Digest username="1001", realm="switchboard", nonce="` + d.nonce(now) + `", uri="sip:switchboard", response="00", algorithm=MD5, cnonce="a", qop=auth, nc=00000001`)
	f.Add(`Digest ,`)
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsAny(value, "\r\n") {
			return
		}
		req := sip.NewRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: "switchboard"})
		req.AppendHeader(sip.NewHeader("Authorization", value))
		c, how := d.read(req, "Authorization", now)
		if how == toProve && proves(c, "REGISTER", "a password that nobody has") {
			t.Errorf("%q proves it", value)
		}
	})
}
