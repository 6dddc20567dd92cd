package media

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// What is read of a description that anybody may have written is bounded; no telephone comes near.
const (
	mostSDP     = 16 << 10
	mostMedia   = 16
	mostFormats = 64
	mostAttrs   = 256
)

const (
	eventName   = "telephone-event/8000"
	usualEvent  = 101 // the dynamic payload type that we offer for it, as everybody does
	plainRTP    = "RTP/AVP"
	secureRTP   = "RTP/SAVP"
	toldByPeers = "F" // RTP/AVPF and RTP/SAVPF: the same with feedback (RFC 4585), which audio doesn't need
)

// stream is one m= line: what an answer, and every later offer, has to repeat in its place (RFC 3264, sections 6 and 8).
type stream struct {
	kind, proto string
	formats     []string
	ours        bool // the one that carries the call; the others are refused with port 0
}

// heard is what a peer's description says of the stream that carries the call.
type heard struct {
	streams []stream
	index   int // of ours
	at      netip.AddrPort
	control netip.AddrPort // where it wants RTCP
	mux     bool           // RTP and RTCP on one port
	wants   direction
	codecs  []byte // pcmu and pcma, in the peer's order
	event   int    // -1: none
	crypto  []crypto
}

// secure tells a profile that is encrypted.
func (h *heard) secure() bool { return secureProfile(h.streams[h.index].proto) }

func secureProfile(proto string) bool { return strings.TrimSuffix(proto, toldByPeers) == secureRTP }

// held: the peer put us on hold, in the way of RFC 3264 or that of RFC 2543: it wants nothing sent to it.
func (h *heard) held() bool {
	return h.wants == sendOnly || h.wants == inactive || h.at.Addr().IsUnspecified()
}

// direction is as its writer sees it.
type direction string

const (
	both     direction = "sendrecv"
	sendOnly direction = "sendonly"
	recvOnly direction = "recvonly"
	inactive direction = "inactive"
)

// reply is our direction in the answer.
func (h *heard) reply() direction {
	switch {
	case h.wants == sendOnly:
		return recvOnly
	case h.wants == recvOnly:
		return sendOnly
	case h.wants == inactive:
		return inactive
	case h.at.Addr().IsUnspecified():
		return recvOnly
	}
	return both
}

func parseSDP(body []byte) (*sdp.SessionDescription, error) {
	if len(body) == 0 || len(body) > mostSDP {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadSDP, len(body))
	}
	var d sdp.SessionDescription
	// The last line of many a telephone has no end.
	if err := d.UnmarshalString(string(body) + "\r\n"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadSDP, err)
	}
	if len(d.MediaDescriptions) == 0 || len(d.MediaDescriptions) > mostMedia || len(d.Attributes) > mostAttrs {
		return nil, fmt.Errorf("%w: %d media lines", ErrBadSDP, len(d.MediaDescriptions))
	}
	for _, m := range d.MediaDescriptions {
		if len(m.MediaName.Formats) > mostFormats || len(m.Attributes) > mostAttrs {
			return nil, fmt.Errorf("%w: a media line of %d formats", ErrBadSDP, len(m.MediaName.Formats))
		}
	}
	return &d, nil
}

func streamsOf(d *sdp.SessionDescription) []stream {
	out := make([]stream, len(d.MediaDescriptions))
	for i, m := range d.MediaDescriptions {
		out[i] = stream{kind: m.MediaName.Media, proto: strings.Join(m.MediaName.Protos, "/"), formats: m.MediaName.Formats}
	}
	return out
}

// read takes out of one media line what matters here. mux: RTP and RTCP may share a port, for we offered that or are being offered it.
func (l *Leg) read(d *sdp.SessionDescription, index int, mux bool) (*heard, error) {
	m := d.MediaDescriptions[index]
	h := &heard{streams: streamsOf(d), index: index, event: -1, wants: both}
	h.streams[index].ours = true
	if m.MediaName.Media != "audio" || m.MediaName.Port.Value <= 0 || m.MediaName.Port.Value > 65535 {
		return nil, fmt.Errorf("%w: no audio", ErrNoCodec)
	}
	h.readCodecs(m)
	if len(h.codecs) == 0 {
		return nil, ErrNoCodec
	}
	h.readAttributes(d, m)
	var err error
	if h.at, err = l.whereto(d, m); err != nil {
		return nil, err
	}
	h.mux = h.mux && mux
	h.readControl(m)
	return h, nil
}

// readCodecs: payload types 0 and 8 mean PCMU and PCMA without saying so, unless they say otherwise (RFC 3551, section 6).
func (h *heard) readCodecs(m *sdp.MediaDescription) {
	names := map[string]string{"0": "pcmu/8000", "8": "pcma/8000"}
	for _, a := range m.Attributes {
		if number, name, ok := strings.Cut(a.Value, " "); ok && a.Key == "rtpmap" {
			names[number] = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "/1"))
		}
	}
	for _, f := range m.MediaName.Formats {
		switch {
		case f == "0" && names[f] == "pcmu/8000" && !has(h.codecs, pcmu):
			h.codecs = append(h.codecs, pcmu)
		case f == "8" && names[f] == "pcma/8000" && !has(h.codecs, pcma):
			h.codecs = append(h.codecs, pcma)
		case names[f] == eventName && h.event < 0:
			if n, err := strconv.Atoi(f); err == nil && n >= 96 && n <= 127 {
				h.event = n
			}
		}
	}
}

func has(codecs []byte, codec byte) bool {
	for _, c := range codecs {
		if c == codec {
			return true
		}
	}
	return false
}

// readAttributes reads direction, RTCP and keys; what the media line says comes before what the session says.
func (h *heard) readAttributes(d *sdp.SessionDescription, m *sdp.MediaDescription) {
	for _, list := range [][]sdp.Attribute{d.Attributes, m.Attributes} {
		for _, a := range list {
			switch a.Key {
			case string(both), string(sendOnly), string(recvOnly), string(inactive):
				h.wants = direction(a.Key)
			case "rtcp-mux":
				h.mux = true
			case "crypto":
				if c, ok := parseCrypto(a.Value); ok && len(h.crypto) < mostMedia {
					h.crypto = append(h.crypto, c)
				}
			}
		}
	}
}

// whereto finds where the peer wants its sound. An address that nobody could be reached at, or that the peer may not name, is replaced
// by the source of its signalling where it is behind NAT, and refused otherwise.
func (l *Leg) whereto(d *sdp.SessionDescription, m *sdp.MediaDescription) (netip.AddrPort, error) {
	c := m.ConnectionInformation
	if c == nil {
		c = d.ConnectionInformation
	}
	if c == nil || c.Address == nil {
		return netip.AddrPort{}, fmt.Errorf("%w: no address", ErrBadSDP)
	}
	port, peer := uint16(m.MediaName.Port.Value), l.options.Peer.Unmap()
	addr, err := netip.ParseAddr(c.Address.Address)
	addr = addr.Unmap().WithZone("")
	switch {
	case err == nil && addr.IsUnspecified():
		return netip.AddrPortFrom(addr, port), nil
	case err != nil, !l.reaches(addr): // a host name, or the other Internet protocol
		if !peer.IsValid() || !l.reaches(peer) {
			return netip.AddrPort{}, fmt.Errorf("%w: unreachable address", ErrBadSDP)
		}
		addr = peer
	case l.options.NAT && peer.IsValid() && private(addr):
		addr = peer
	case addr.IsLoopback() && peer.IsValid() && !peer.IsLoopback():
		return netip.AddrPort{}, fmt.Errorf("%w: our own address", ErrBadSDP) // we would be made to send to ourselves
	}
	return netip.AddrPortFrom(addr, port), nil
}

func (l *Leg) reaches(a netip.Addr) bool {
	if a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return false
	}
	return a.Is6() == l.engine.options.Bind.Is6() || l.engine.options.Bind == netip.IPv6Unspecified()
}

// private: an address that means nothing outside its own network (RFC 1918, RFC 4193, RFC 6598).
func private(a netip.Addr) bool {
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || shared.Contains(a)
}

// readControl: RTCP goes to the port after that of RTP, unless the peer names another (RFC 3605) or wants both on one (RFC 5761).
func (h *heard) readControl(m *sdp.MediaDescription) {
	h.control = netip.AddrPortFrom(h.at.Addr(), h.at.Port()+1)
	if h.mux {
		h.control = h.at
		return
	}
	for _, a := range m.Attributes {
		if a.Key != "rtcp" {
			continue
		}
		number, _, _ := strings.Cut(a.Value, " ") // another host than that of RTP is not followed: it could be anybody's
		if port, err := strconv.ParseUint(number, 10, 16); err == nil && port != 0 {
			h.control = netip.AddrPortFrom(h.at.Addr(), uint16(port))
		}
	}
}
