package media

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// crlf is a description as it stands in a test: one line each.
func crlf(lines string) []byte {
	return []byte(strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\r\n") + "\r\n")
}

// plainer puts fixed words in the place of what is drawn for each leg.
func plainer(t *testing.T, l *Leg, body []byte) string {
	t.Helper()
	s := strings.ReplaceAll(string(body), "\r\n", "\n")
	s = strings.Replace(s, fmt.Sprintf("o=- %d ", l.session.id), "o=- ID ", 1)
	s = strings.Replace(s, fmt.Sprintf("m=audio %d ", l.pair.port), "m=audio PORT ", 1)
	return regexp.MustCompile(`inline:[A-Za-z0-9+/=]{40}`).ReplaceAllString(s, "inline:KEY")
}

const peerHead = "v=0\no=bob 7 9 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"

// ourHead is how each description of ours begins.
const ourHead = "v=0\no=- ID %d IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"

const key30 = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk"

func TestOffer(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct {
		name string
		mode Mode
		want string
	}{
		{"plain", Offered, "m=audio PORT RTP/AVP 0 8 101\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\na=ptime:20\na=sendrecv\n"},
		{"secure", Required, "m=audio PORT RTP/SAVP 0 8 101\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\n" +
			"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY\na=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:KEY\na=ptime:20\na=sendrecv\n"},
	} {
		l := openLeg(t, e, LegOptions{SRTP: c.mode})
		first, err := l.Offer()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := plainer(t, l, first), fmt.Sprintf(ourHead, 1)+c.want; got != want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, want)
		}
		if again, err := l.Offer(); err != nil || string(again) != string(first) {
			t.Errorf("%s: asked again it is\n%s (%v)", c.name, again, err)
		}
	}
}

func TestAnswer(t *testing.T) {
	e := newEngine(t)
	events := "a=rtpmap:96 telephone-event/8000\n"
	for _, c := range []struct {
		name, offer, want string
		mode              Mode
		held              bool
	}{
		{"a common telephone", "m=audio 4000 RTP/AVP 8 0 18 96\n" + events,
			"m=audio PORT RTP/AVP 8 0 96\na=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000\na=rtpmap:96 telephone-event/8000\na=fmtp:96 0-16\na=ptime:20\na=sendrecv\n", Never, false},
		{"no events", "m=audio 4000 RTP/AVP 0\n", "m=audio PORT RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=sendrecv\n", Never, false},
		{"events at another rate", "m=audio 4000 RTP/AVP 0 97 96\na=rtpmap:97 telephone-event/48000\n" + events,
			"m=audio PORT RTP/AVP 0 96\na=rtpmap:0 PCMU/8000\na=rtpmap:96 telephone-event/8000\na=fmtp:96 0-16\na=ptime:20\na=sendrecv\n", Never, false},
		{"video and text too", "m=video 5000 RTP/AVP 31 32\nm=audio 4000 RTP/AVP 0\nm=text 6000 RTP/AVP 98\n",
			"m=video 0 RTP/AVP 31 32\nm=audio PORT RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=sendrecv\nm=text 0 RTP/AVP 98\n", Never, false},
		{"two audios", "m=audio 4000 RTP/AVP 9\nm=audio 4002 RTP/AVP 0\n", "m=audio 0 RTP/AVP 9\nm=audio PORT RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=sendrecv\n", Never, false},
		{"hold", "m=audio 4000 RTP/AVP 0\na=sendonly\n", "m=audio PORT RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=recvonly\n", Never, true},
		{"hold both ways", "m=audio 4000 RTP/AVP 0\na=inactive\n", "m=audio PORT RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=inactive\n", Never, true},
		{"the old hold", "m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n", "m=audio PORT RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=recvonly\n", Never, true},
		{"it only listens", "m=audio 4000 RTP/AVP 0\na=recvonly\n", "m=audio PORT RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=sendonly\n", Never, false},
		{"hold for the session", "a=sendonly\nm=audio 4000 RTP/AVP 0\n", "m=audio PORT RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=recvonly\n", Never, true},
		{"one port", "m=audio 4000 RTP/AVP 0\na=rtcp-mux\na=rtcp:4000\n", "m=audio PORT RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=sendrecv\na=rtcp-mux\n", Never, false},
		{"feedback", "m=audio 4000 RTP/AVPF 0\na=rtcp-fb:* nack\n", "m=audio PORT RTP/AVPF 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=sendrecv\n", Never, false},
		{"SRTP", "m=audio 4000 RTP/SAVP 0\na=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:x\na=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:" + key30 + "|2^20\n",
			"m=audio PORT RTP/SAVP 0\na=rtpmap:0 PCMU/8000\na=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:KEY\na=ptime:20\na=sendrecv\n", Offered, false},
		{"SRTP before plain", "m=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "\n",
			"m=audio 0 RTP/AVP 0\nm=audio PORT RTP/SAVP 0\na=rtpmap:0 PCMU/8000\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY\na=ptime:20\na=sendrecv\n", Offered, false},
		{"lines without CR and the last without an end", "m=audio 4000 RTP/AVP 0", "m=audio PORT RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=sendrecv\n", Never, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := openLeg(t, e, LegOptions{SRTP: c.mode})
			offer := crlf(peerHead + c.offer)
			if !strings.HasSuffix(c.offer, "\n") {
				offer = []byte(peerHead + c.offer)
			}
			got, err := l.Answer(offer)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := plainer(t, l, got), fmt.Sprintf(ourHead, 1)+c.want; got != want {
				t.Errorf("it is\n%s\nwant\n%s", got, want)
			}
			if l.Held() != c.held {
				t.Errorf("held: %t", l.Held())
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	e := newEngine(t)
	many := strings.Repeat("m=audio 4000 RTP/AVP 0\n", mostMedia+1)
	for _, c := range []struct {
		name, offer string
		mode        Mode
		want        error
	}{
		{"nothing", "", Never, ErrBadSDP},
		{"noise", "hello", Never, ErrBadSDP},
		{"too long", peerHead + "m=audio 4000 RTP/AVP 0\n" + strings.Repeat("a=x:y\n", mostSDP), Never, ErrBadSDP},
		{"too many streams", peerHead + many, Never, ErrBadSDP},
		{"too many formats", peerHead + "m=audio 4000 RTP/AVP" + strings.Repeat(" 0", mostFormats+1) + "\n", Never, ErrBadSDP},
		{"no stream", peerHead, Never, ErrBadSDP},
		{"no address", "v=0\no=b 1 1 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=audio 4000 RTP/AVP 0\n", Never, ErrBadSDP},
		{"a group's address", peerHead + "m=audio 4000 RTP/AVP 0\nc=IN IP4 224.2.1.1/127\n", Never, ErrBadSDP},
		{"everybody's address", peerHead + "m=audio 4000 RTP/AVP 0\nc=IN IP4 255.255.255.255\n", Never, ErrBadSDP},
		{"a name", peerHead + "m=audio 4000 RTP/AVP 0\nc=IN IP4 phone.example\n", Never, ErrBadSDP},
		{"IPv6 where we have none", peerHead + "m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::1\n", Never, ErrBadSDP},
		{"other codecs", peerHead + "m=audio 4000 RTP/AVP 9 18\n", Never, ErrNoCodec},
		{"only events", peerHead + "m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n", Never, ErrNoCodec},
		{"0 that is something else", peerHead + "m=audio 4000 RTP/AVP 0\na=rtpmap:0 opus/48000/2\n", Never, ErrNoCodec},
		{"no port", peerHead + "m=audio 0 RTP/AVP 0\n", Never, ErrNoCodec},
		{"video", peerHead + "m=video 4000 RTP/AVP 31\n", Never, ErrNoCodec},
		{"DTLS", peerHead + "m=audio 4000 UDP/TLS/RTP/SAVPF 0\n", Never, ErrNoCodec},
		{"plain where SRTP is required", peerHead + "m=audio 4000 RTP/AVP 0\n", Required, ErrNotSecure},
		{"SRTP where it is switched off", peerHead + "m=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "\n", Never, ErrNotSecure},
		{"SRTP without a key", peerHead + "m=audio 4000 RTP/SAVP 0\n", Offered, ErrNotSecure},
		{"a short key", peerHead + "m=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:QUJD\n", Offered, ErrNotSecure},
		{"a weakened stream", peerHead + "m=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + " UNAUTHENTICATED_SRTP\n", Offered, ErrNotSecure},
	} {
		l := openLeg(t, e, LegOptions{SRTP: c.mode})
		if _, err := l.Answer(crlf(c.offer)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if l.in.agreed || l.out.sending {
			t.Errorf("%s: something was agreed", c.name)
		}
	}
	l := openLeg(t, e, LegOptions{})
	if err := l.Accept(crlf(peerHead + "m=audio 4000 RTP/AVP 0\n")); !errors.Is(err, ErrBadSDP) {
		t.Errorf("an answer to no offer: %v", err)
	}
}

// Hold, resume, another codec: each changes our description, and so its version; a re-INVITE that only refreshes doesn't.
func TestVersions(t *testing.T) {
	e := newEngine(t)
	l := openLeg(t, e, LegOptions{})
	for i, c := range []struct {
		offer   string
		version uint64
		held    bool
	}{
		{"m=audio 4000 RTP/AVP 0 8\n", 1, false},
		{"m=audio 4000 RTP/AVP 0 8\n", 1, false},
		{"m=audio 4000 RTP/AVP 0 8\na=sendonly\n", 2, true},
		{"m=audio 4000 RTP/AVP 0 8\na=sendrecv\n", 3, false},
		{"m=audio 4000 RTP/AVP 8\n", 4, false},
		{"m=audio 4000 RTP/AVP 9\n", 4, false}, // refused: all is as it was
	} {
		_, err := l.Answer(crlf(peerHead + c.offer))
		if (err != nil) != (i == 5) {
			t.Errorf("offer %d: %v", i, err)
		}
		if l.session.version != c.version || l.Held() != c.held {
			t.Errorf("offer %d: version %d, held %t", i, l.session.version, l.Held())
		}
	}
	// Our own offer repeats the streams that were refused, and the payload type that events have by now.
	l = openLeg(t, e, LegOptions{})
	if _, err := l.Answer(crlf(peerHead + "m=video 5000 RTP/AVP 31\nm=audio 4000 RTP/AVP 0 96\na=rtpmap:96 telephone-event/8000\n")); err != nil {
		t.Fatal(err)
	}
	body, err := l.Offer()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(ourHead, 2) + "m=video 0 RTP/AVP 31\nm=audio PORT RTP/AVP 0 8 96\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n" +
		"a=rtpmap:96 telephone-event/8000\na=fmtp:96 0-16\na=ptime:20\na=sendrecv\n"
	if got := plainer(t, l, body); got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
	if err := l.Accept(crlf(peerHead + "m=video 0 RTP/AVP 31\nm=audio 4000 RTP/AVP 8 96\na=rtpmap:96 telephone-event/8000\n")); err != nil {
		t.Errorf("its answer: %v", err)
	}
}

func TestWhereto(t *testing.T) {
	e := newEngine(t)
	for _, c := range []struct {
		name, said string
		nat        bool
		peer, want string // want "": refused
	}{
		{"as said", "IN IP4 203.0.113.5", false, "198.51.100.1", "203.0.113.5:4000"},
		{"as said by one behind NAT that knows its address", "IN IP4 203.0.113.5", true, "198.51.100.1", "203.0.113.5:4000"},
		{"private, behind NAT", "IN IP4 192.168.1.9", true, "198.51.100.1", "198.51.100.1:4000"},
		{"shared (RFC 6598), behind NAT", "IN IP4 100.64.1.9", true, "198.51.100.1", "198.51.100.1:4000"},
		{"private, in one network", "IN IP4 192.168.1.9", false, "192.168.1.9", "192.168.1.9:4000"},
		{"a name, but the peer is known", "IN IP4 phone.example", false, "198.51.100.1", "198.51.100.1:4000"},
		{"IPv6, but the peer came by IPv4", "IN IP6 2001:db8::1", false, "198.51.100.1", "198.51.100.1:4000"},
		{"ourselves", "IN IP4 127.0.0.1", false, "198.51.100.1", ""},
		{"IPv4 in IPv6's clothes", "IN IP6 ::ffff:203.0.113.5", false, "198.51.100.1", "203.0.113.5:4000"},
	} {
		l := openLeg(t, e, LegOptions{NAT: c.nat, Peer: netip.MustParseAddr(c.peer)})
		_, err := l.Answer(crlf("v=0\no=b 1 1 IN IP4 192.168.1.9\ns=x\nc=" + c.said + "\nt=0 0\nm=audio 4000 RTP/AVP 0\n"))
		if c.want == "" {
			if !errors.Is(err, ErrBadSDP) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := l.in.latch.said.String(); got != c.want {
			t.Errorf("%s: it is sent to %s", c.name, got)
		}
	}
}

// FuzzSDP: whatever is offered, nothing panics, an error changes nothing, and our answer can be read and offered back.
func FuzzSDP(f *testing.F) {
	samples, err := filepath.Glob("testdata/sdp/*.sdp")
	if err != nil || len(samples) == 0 {
		f.Fatal("no samples", err)
	}
	for _, name := range samples {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	e := newEngine(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := e.Open(LegOptions{SRTP: Offered, Peer: home})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		answer, err := l.Answer(body)
		if err != nil {
			if l.in.agreed {
				t.Errorf("refused (%v), and yet agreed", err)
			}
			return
		}
		if _, err := parseSDP(answer); err != nil {
			t.Errorf("our answer can't be read: %v\n%s", err, answer)
		}
		if _, err := l.Offer(); err != nil {
			t.Errorf("no offer after an answer: %v", err)
		}
	})
}
