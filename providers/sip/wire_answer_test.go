package sip

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is answered without a transaction goes back through every proxy by which it came (RFC 3261 section 8.2.6.2), each of which removes
// the Via of its own: were the others missing, the first proxy would have nobody to pass the answer to.
func TestAnswersPassThroughProxies(t *testing.T) {
	d := openDesk(t, Options{})
	for _, by := range []string{"UDP", "TCP"} {
		w := d.dial(by)
		top := "SIP/2.0/" + by + " " + w.local().String() + ";branch=z9hG4bKtop" + fmt.Sprint(next()) + ";rport"
		more := []string{"SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKmiddle, SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKnext", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKphone"}
		w.send("INVITE sip:+8613800000001@switchboard SIP/2.0", "Via: "+top, "v: "+more[0], "From: <sip:a@b>;tag=1", "Via:\r\n "+more[1],
			"To: <sip:+8613800000001@switchboard>", fmt.Sprint("Call-ID: through", next()), "CSeq: 1 INVITE", "Contact: <sip:a@192.0.2.9>",
			"Max-Forwards: 68", "Content-Length: 0")
		var got []string
		for _, h := range w.status("through proxies by "+by, 407).GetHeaders("Via") {
			for one := range strings.SplitSeq(h.Value(), ",") {
				got = append(got, strings.TrimSpace(one))
			}
		}
		want := append(strings.Split(more[0], ", "), more[1])
		if len(got) != 4 || !slices.Equal(got[1:], want) {
			t.Errorf("by %s: it goes back by %q, and came by %q after the first", by, got, want)
		}
	}
}

// Who does not ask for the port from which it sends is answered at the one that its Via names (RFC 3261 section 18.2.2, RFC 3581 section 4),
// with a transaction and without.
func TestAnswersComeToThePortOfVia(t *testing.T) {
	d := openDesk(t, Options{})
	ears, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ears.Close()
	for _, method := range []string{"OPTIONS", "INVITE"} {
		d.dial("UDP").send(method+" sip:+8613800000001@switchboard SIP/2.0", "Via: SIP/2.0/UDP "+ears.LocalAddr().String()+";branch=z9hG4bKears"+method,
			"From: <sip:a@b>;tag=1", "To: <sip:+8613800000001@switchboard>", "Call-ID: ears"+method, "CSeq: 1 "+method, "Contact: <sip:a@127.0.0.1>",
			"Max-Forwards: 70", "Content-Length: 0")
		if err := ears.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		room := make([]byte, mostMessage)
		if n, err := ears.Read(room); err != nil || !strings.HasPrefix(string(room[:n]), "SIP/2.0 ") {
			t.Errorf("%s: %q, %v", method, room[:n], err)
		}
	}
}
