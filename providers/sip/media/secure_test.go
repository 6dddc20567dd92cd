package media

import (
	"bytes"
	"encoding/base64"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// keysIn finds the crypto line in a description.
func keysIn(t *testing.T, body []byte, suite string) (key, salt []byte) {
	t.Helper()
	m := regexp.MustCompile(`a=crypto:\d+ ` + suite + ` inline:(\S+)`).FindSubmatch(body)
	if m == nil {
		t.Fatalf("no key for %s in\n%s", suite, body)
	}
	raw, err := base64.StdEncoding.DecodeString(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return raw[:16], raw[16:]
}

func cipher(t *testing.T, key, salt []byte, profile srtp.ProtectionProfile) *srtp.Context {
	t.Helper()
	c, err := srtp.CreateContext(key, salt, profile)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// seal is the peer's packet of that number, encrypted; the sequence runs over 2^16 on its way.
func (p *peer) seal(out *srtp.Context, i int) []byte {
	p.t.Helper()
	h := rtp.Header{Version: 2, SequenceNumber: 65533 + uint16(i), Timestamp: uint32(i) * frame, SSRC: p.ssrc}
	plain, err := (&rtp.Packet{Header: h, Payload: toneFrame(440, i, pcmu)}).Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	sealed, err := out.EncryptRTP(nil, plain, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return sealed
}

// unseal is what the peer makes of the next packet that it gets.
func (p *peer) unseal(in *srtp.Context) []byte {
	p.t.Helper()
	packet := p.next()
	sealed, err := packet.Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	clear, err := in.DecryptRTP(nil, sealed, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return clear[headerSize:]
}

// An encrypted leg and a plain one, bridged: each hears the other, what is forged or repeated is thrown away, and a re-INVITE with the
// same keys does not disturb the count of packets.
func TestSecureRelay(t *testing.T) {
	for _, c := range []struct {
		suite   string
		profile srtp.ProtectionProfile
	}{{suite80, srtp.ProtectionProfileAes128CmHmacSha1_80}, {suite32, srtp.ProtectionProfileAes128CmHmacSha1_32}} {
		t.Run(c.suite, func(t *testing.T) {
			e := newEngine(t)
			a, b := newPeer(t), newPeer(t)
			la, lb := openLeg(t, e, LegOptions{SRTP: Offered}), openLeg(t, e, LegOptions{})
			raw, err := base64.StdEncoding.DecodeString(key30)
			if err != nil {
				t.Fatal(err)
			}
			offer := bytes.Replace(a.sdp("0", "a=crypto:1 "+c.suite+" inline:"+key30), []byte("RTP/AVP"), []byte("RTP/SAVP"), 1)
			answer, err := la.Answer(offer)
			if err != nil {
				t.Fatal(err)
			}
			key, salt := keysIn(t, answer, c.suite)
			out, in := cipher(t, raw[:16], raw[16:], c.profile), cipher(t, key, salt, c.profile)
			a.to = addrOf(la)
			b.call(lb, "0")
			if _, err := Connect(la, lb); err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				if i == 3 {
					if _, err := la.Answer(offer); err != nil { // a re-INVITE
						t.Fatal(err)
					}
				}
				sealed := a.seal(out, i)
				forged := append([]byte(nil), sealed...)
				forged[20] ^= 1
				for _, packet := range [][]byte{forged, sealed, sealed} { // the last is a replay
					if _, err := a.conn.WriteToUDPAddrPort(packet, a.to); err != nil {
						t.Fatal(err)
					}
				}
				if got := b.next(); string(got.Payload) != string(toneFrame(440, i, pcmu)) {
					t.Errorf("packet %d: the other side hears something else", i)
				}
				b.send(pcmu, toneFrame(1000, i, pcmu))
				if heard := a.unseal(in); string(heard) != string(toneFrame(1000, i, pcmu)) {
					t.Errorf("packet %d: this side hears something else", i)
				}
			}
			if s := e.Stats(); s.Broken != 10 || len(b.got) != 0 {
				t.Errorf("%d packets thrown away, %d too many relayed", s.Broken, len(b.got))
			}
		})
	}
}

// Our own secure offer: the answer chooses a suite by its tag; a plain answer to it is refused.
func TestSecureOffer(t *testing.T) {
	e := newEngine(t)
	l := openLeg(t, e, LegOptions{SRTP: Required})
	offer, err := l.Offer()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Accept(crlf(peerHead + "m=audio 4000 RTP/AVP 0\n")); !errors.Is(err, ErrNotSecure) {
		t.Errorf("a plain answer: %v", err)
	}
	if err := l.Accept(crlf(peerHead + "m=audio 4000 RTP/SAVP 0\na=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:" + key30 + "\n")); !errors.Is(err, ErrNotSecure) {
		t.Errorf("the wrong tag: %v", err)
	}
	if err := l.Accept(crlf(peerHead + "m=audio 4000 RTP/SAVP 0\na=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:" + key30 + "\n")); err != nil {
		t.Fatal(err)
	}
	key, _ := keysIn(t, offer, suite32)
	if !bytes.HasPrefix([]byte(l.session.securing.mine.key), key) {
		t.Error("it doesn't use the key that it offered")
	}
	again, err := l.Offer()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(again, []byte("a=crypto:")) != 1 || !bytes.Contains(again, []byte("a=crypto:2 "+suite32)) {
		t.Errorf("later it offers\n%s", again)
	}
}

// RTCP: the peer gets reports with our name and a goodbye; a peer that only reports is not idle.
func TestReports(t *testing.T) {
	e := newEngine(t)
	p, l := newPeer(t), openLeg(t, e, LegOptions{})
	control := newRaw(t)
	p.call(l, "0", "a=rtcp:"+control.port())
	for range 3 {
		p.send(pcmu, make([]byte, frame))
	}
	if err := l.Play(t.Context(), Samples(make([]int16, frame))); err != nil {
		t.Fatal(err)
	}
	l.sendReport(false)
	report := control.next()
	if report[1] != 200 || report[0]&0x1f != 1 || len(report) < 28+24+8 {
		t.Fatalf("no sender report with a block: % x", report)
	}
	if !bytes.Contains(report, []byte(l.cname)) {
		t.Error("no name")
	}
	if sent := report[20:24]; !bytes.Equal(sent, []byte{0, 0, 0, 1}) {
		t.Errorf("packets sent: % x", sent)
	}
	l.heardAt.Store(-int64(time.Hour))
	if l.Idle() < time.Hour {
		t.Errorf("idle for %v", l.Idle())
	}
	control.send(t, l, []byte{0x80, 201, 0, 1, 1, 2, 3, 4})
	l.Close()
	for goodbye := control.next(); !bytes.Contains(goodbye, []byte{0x81, 203, 0, 1}); goodbye = control.next() {
		t.Log("a report before it")
	}
}
