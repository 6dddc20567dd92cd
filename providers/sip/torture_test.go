package sip

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// torture is what becomes of each message of RFC 4475, by its name there: the status that is answered over UDP and over TCP; 0: nothing
// is said. That a valid one is asked for a password (401, 407) is right: it was read, and nobody knows its sender.
var torture = map[string]struct{ udp, tcp int }{
	// 3.1.1, valid (wsinv belongs to a dialog that is not known here)
	"wsinv": {481, 481}, "intmeth": {501, 501}, "esc01": {407, 407}, "escnull": {401, 401}, "esc02": {501, 501}, "lwsdisp": {200, 200},
	"longreq": {407, 407}, "dblreq": {401, second}, "semiuri": {200, 200}, "transports": {200, 200}, "mpart01": {405, 405},
	"unreason": {0, 0}, "noreason": {0, 0},

	// 3.1.2, invalid
	"badinv01": {400, 400},
	"clerr":    {400, 0}, // over a stream the rest of the body may come yet
	"ncl":      {400, 400}, "scalar02": {400, 400}, "scalarlg": {0, 0}, "quotbal": {400, 400}, "ltgtruri": {400, 400}, "lwsruri": {400, 400},
	"lwsstart": {400, 400}, "trws": {400, 400},
	"escruri":  {407, 407}, // what the URI asks to be put into a request is not looked at
	"baddate":  {407, 407}, // nor is Date
	"regbadct": {401, 401}, "badaspec": {400, 400}, "baddn": {400, 400}, "badvers": {505, 505}, "mismatch01": {400, 400}, "mismatch02": {400, 400},
	"bigcode": {0, 0},

	// 3.2, the transaction layer: taken for one of RFC 2543
	"badbranch": {200, 200},

	// 3.3, the application layer
	"insuf": {400, 400}, "unkscm": {416, 416}, "novelsc": {416, 416}, "unksm2": {401, 401}, "bext01": {420, 420}, "invut": {415, 415},
	"regaut01": {401, 401}, // a scheme that is not Digest is none
	"multi01":  {400, 400}, "mcl01": {400, 400}, "bcast": {0, 0}, "zeromf": {483, 483}, "cparam01": {401, 401}, "cparam02": {401, 401},
	"regescrt": {401, 401}, "sdp01": {406, 406},
	"inv2543": {400, 400}, // no tag in From, and over a stream no Content-Length: RFC 3261 section 8.1.1.3 has had a tag for long
}

// second: over a stream what follows the message is another one, and which is answered first is not said: 401 or 407.
const second = 401 + 407

// Each torture message is answered as it should be, or not at all, and the server lives on.
func TestTorture(t *testing.T) {
	files, err := filepath.Glob("testdata/torture/*.dat")
	if err != nil || len(files) != len(torture) {
		t.Fatalf("%d messages instead of %d: %v", len(files), len(torture), err)
	}
	for _, by := range []string{"UDP", "TCP"} {
		for _, f := range files {
			name := strings.TrimSuffix(filepath.Base(f), ".dat")
			want := torture[name].udp
			if by == "TCP" {
				want = torture[name].tcp
			}
			t.Run(by+"/"+name, func(t *testing.T) {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				openDesk(t, Options{}).torture(by, b, want) // each its own: some share a branch
			})
		}
	}
}

// torture sends a message and then one that must be answered.
func (d *desk) torture(by string, message []byte, want int) {
	d.Helper()
	w := d.dial(by)
	if by == "UDP" && want != 0 { // the address in Via is not ours: the answer is to come to where the question came from (RFC 3581)
		v := look(message)
		at := cap(message) - cap(v.via)
		if end := bytes.IndexByte(v.via, ','); end >= 0 {
			at += end
		} else {
			at += len(v.via)
		}
		message = append(append(append([]byte{}, message[:at]...), ";rport"...), message[at:]...)
	}
	w.raw(message)
	status := 0
	if want != 0 {
		status = w.first()
		if want == second {
			status += w.first()
		}
	} else if by == "UDP" { // what is said to a later question was not said to this one
		w.ask(inquiry{method: "OPTIONS", user: "a", callID: "later", cseq: 1})
		if r := w.answer(); r.CallID().Value() != "later" {
			status = r.StatusCode
		}
	}
	if status != want {
		d.Errorf("%d instead of %d", status, want)
	}
	lives := d.dial("UDP")
	lives.ask(inquiry{method: "OPTIONS", user: "a", callID: "alive", cseq: next()})
	lives.status("afterwards", 200)
	if s := d.Stats(); s.Panics != 0 || s.Unparsed != 0 {
		d.Errorf("%d handlers failed, %d messages passed the gate and could not be parsed", s.Panics, s.Unparsed)
	}
}

// first is the status of the next final response, read without a parser: what it repeats of a malformed request is malformed.
func (w *wire) first() int {
	w.Helper()
	if err := w.SetReadDeadline(time.Now().Add(patience)); err != nil {
		w.Fatal(err)
	}
	for {
		if size, err := frame(w.rest); err == nil && size > 0 && size <= len(w.rest) {
			v := look(w.rest[:size])
			w.rest = w.rest[size:]
			if v.status >= 200 {
				return v.status
			}
			continue
		}
		b := make([]byte, 64<<10)
		n, err := w.Read(b)
		if err != nil {
			return 0
		}
		w.rest = append(w.rest, b[:n]...)
	}
}
