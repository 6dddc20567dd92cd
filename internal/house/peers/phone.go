package peers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long a test waits for a telephone to say something. The machines that run the checks are small and shared.
const Patience = 30 * time.Second

// PhoneOptions describe a telephone.
type PhoneOptions struct {
	User, Password string
	Server         string  // host:port where it registers; empty: it registers nowhere
	Transport      string  // udp (the default), tcp or tls
	Tone           float64 // what it says, in Hz
	Manual         bool    // it rings until Answer; otherwise it answers at once
	Encrypted      bool    // it asks for SRTP (SDES)
	Codec          string  // PCMU or PCMA; empty: both
}

// Phone is one baresip.
type Phone struct {
	t       testing.TB
	options PhoneOptions
	folder  string
	port    int
	conn    net.Conn
	mu      sync.Mutex
	changed *sync.Cond
	events  []Event
	read    int // how many events Wait has gone past
	closed  error
}

// Event is something that the telephone says of itself, in its own words: CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED, REGISTER_OK...
type Event struct {
	Type  string `json:"type"`
	Peer  string `json:"peeruri"`
	Param string `json:"param"`
	Name  string `json:"peerdisplayname"`
}

// StartPhone starts a telephone, which ends with the test, and waits until it has registered.
func StartPhone(t testing.TB, o PhoneOptions) *Phone {
	t.Helper()
	p := NewPhone(t, o)
	if o.Server != "" {
		p.Await("it registered", func() bool { return registered.MatchString(p.Log()) })
	}
	return p
}

// registered is what baresip prints; the event REGISTER_OK may come before anybody listens.
var registered = regexp.MustCompile(`\d binding`)

// Await waits until something is so.
func (p *Phone) Await(what string, so func() bool) {
	p.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); <-tick.C {
		if so() {
			return
		}
	}
	p.t.Fatalf("%s: %s: not within %s", p.options.User, what, Patience)
}

// NewPhone is StartPhone without the wait.
func NewPhone(t testing.TB, o PhoneOptions) *Phone {
	t.Helper()
	p := &Phone{t: t, options: o, folder: t.TempDir()}
	p.changed = sync.NewCond(&p.mu)
	port := freePorts(t)
	p.port = port
	p.write("tone.wav", string(wave(o.Tone, 60*time.Second)))
	p.write("config", fmt.Sprintf(settings, port, p.folder, port, port, port+2, port+9, p.folder, port+8))
	p.write("accounts", p.account())
	p.write("contacts", "")
	command := exec.Command("baresip", "-s", "-f", p.folder)
	log, err := os.Create(filepath.Join(p.folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatalf("baresip can't be started (make tools installs it): %v", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended by itself
		_ = command.Wait()
		log.Close()
		if t.Failed() {
			t.Logf("%s said:\n%s", o.User, p.Log())
		}
	})
	p.conn = connect(t, port+8)
	t.Cleanup(func() { p.conn.Close() })
	go p.listen()
	return p
}

// settings are baresip's: port, folder of the tone, devices, first and last RTP port, folder of what is heard, control port.
const settings = `sip_listen 127.0.0.1:%d
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
audio_source aufile,%s/tone.wav
audio_player aubridge,phone%d
audio_alert aubridge,phone%d
ausrc_srate 8000
auplay_srate 8000
audio_buffer 20-160
rtp_ports %d-%d
snd_path %s
module g711.so
module srtp.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app ctrl_tcp.so
module_app menu.so
ctrl_tcp_listen 127.0.0.1:%d
sip_verify_server no
call_max_calls 8
`

func (p *Phone) account() string {
	o := p.options
	if o.Transport == "" {
		o.Transport = "udp"
	}
	server, register := o.Server, 60
	if server == "" {
		server, register = "127.0.0.1", 0
	}
	line := fmt.Sprintf("<sip:%s@%s;transport=%s>;auth_pass=%s;regint=%d;audio_codecs=%s", o.User, server, o.Transport, o.Password, register, o.codecs())
	if !o.Manual {
		line += ";answermode=auto"
	}
	if o.Encrypted {
		line += ";mediaenc=srtp-mand"
	}
	return line + "\n"
}

func (o PhoneOptions) codecs() string {
	if o.Codec != "" {
		return o.Codec + "/8000/1"
	}
	return "PCMU/8000/1,PCMA/8000/1"
}

func (p *Phone) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.folder, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// listen reads netstrings, each of them an event or an answer.
func (p *Phone) listen() {
	r := bufio.NewReader(p.conn)
	for {
		event, err := netstring(r)
		p.mu.Lock()
		if err != nil {
			p.closed = err
		} else {
			p.events = append(p.events, event)
		}
		p.changed.Broadcast()
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func netstring(r *bufio.Reader) (e Event, err error) {
	length, err := r.ReadString(':')
	if err != nil {
		return e, err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
	if err != nil {
		return e, fmt.Errorf("baresip: %q is no length: %w", length, err)
	}
	body := make([]byte, n+1) // and its comma
	if _, err := io.ReadFull(r, body); err != nil {
		return e, err
	}
	return e, json.Unmarshal(body[:n], &e)
}

// do gives the telephone a command.
func (p *Phone) do(command, parameter string) {
	p.t.Helper()
	body, err := json.Marshal(map[string]string{"command": command, "params": parameter})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.conn, "%d:%s,", len(body), body); err != nil {
		p.t.Fatalf("%s: %s: %v", p.options.User, command, err)
	}
}

// Dial calls a number at the telephone's server, or a whole SIP URI.
func (p *Phone) Dial(number string) { p.t.Helper(); p.do("dial", number) }

// URI is where the telephone is reached without a server.
func (p *Phone) URI() string { return fmt.Sprintf("sip:%s@127.0.0.1:%d", p.options.User, p.port) }

// Answer takes the call that rings.
func (p *Phone) Answer() { p.t.Helper(); p.do("accept", "") }

// HangUp ends the call, or refuses the one that rings.
func (p *Phone) HangUp() { p.t.Helper(); p.do("hangup", "") }

// End is HangUp, and waits until it is done.
func (p *Phone) End() { p.t.Helper(); p.HangUp(); p.Wait("CALL_CLOSED") }

// Hold puts the other side on hold.
func (p *Phone) Hold() { p.t.Helper(); p.do("hold", "") }

// Resume takes the other side back.
func (p *Phone) Resume() { p.t.Helper(); p.do("resume", "") }

// Press sends a digit.
func (p *Phone) Press(digit string) { p.t.Helper(); p.do("sndcode", digit) }

// Wait is the next event of that type; those before it are passed over. Events are not lost while nobody waits.
func (p *Phone) Wait(kind string) Event {
	p.t.Helper()
	deadline := time.AfterFunc(Patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.closed == nil {
			p.closed = fmt.Errorf("nothing for %s", Patience)
		}
		p.changed.Broadcast()
	})
	defer deadline.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	start := p.read
	for {
		for ; p.read < len(p.events); p.read++ {
			if e := p.events[p.read]; e.Type == kind {
				p.read++
				return e
			}
		}
		if p.closed != nil {
			p.t.Fatalf("%s: waiting for %s: %v; it said %+v", p.options.User, kind, p.closed, p.events[start:])
		}
		p.changed.Wait()
	}
}

// Said tells whether there was an event of that type, waited for or not.
func (p *Phone) Said(kind string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e.Type == kind {
			return true
		}
	}
	return false
}

// Log is everything that the telephone printed: each SIP message that it sent or received is in it.
func (p *Phone) Log() string {
	text, err := os.ReadFile(filepath.Join(p.folder, "log"))
	if err != nil {
		p.t.Error(err)
	}
	return string(text)
}

// Hear waits until the telephone has heard so much in its latest call, whatever it was.
func (p *Phone) Hear(long time.Duration) {
	p.t.Helper()
	want := int64(long.Seconds() * rate * 2)
	p.Await("it hears for "+long.String(), func() bool {
		info, err := os.Stat(p.heard())
		return err == nil && info.Size() > want
	})
}

// heard is the file of the latest call; empty: there is none yet.
func (p *Phone) heard() string {
	files, err := filepath.Glob(filepath.Join(p.folder, "dump-*-dec.wav"))
	if err != nil || len(files) == 0 {
		return ""
	}
	return files[len(files)-1]
}

// Heard is what the telephone heard in its latest call, 8 kHz; call it when that has ended.
func (p *Phone) Heard() []int16 {
	p.t.Helper()
	file := p.heard()
	if file == "" {
		p.t.Fatalf("%s heard nothing", p.options.User)
	}
	return ReadWAV(p.t, file)[0]
}
