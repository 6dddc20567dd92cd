package sip

import (
	"crypto/rand"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// party is one end of a dialog, as From and To name it.
type party struct {
	name string // display name
	uri  sip.Uri
	tag  string
}

// dialog is what RFC 3261 section 12 keeps of one, from our side. It belongs to the goroutine of its call.
//
// Everything in it that names a person comes from the verdict or from this very peer; nothing is ever copied from the dialog of the
// other side. That is what keeps masked parties apart, whatever their telephones put into their messages.
type dialog struct {
	callID    string
	local     party
	remote    party
	localSeq  uint32 // of our last request
	remoteSeq uint32 // of the peer's last request
	heard     bool   // the peer has sent a request: remoteSeq counts
	target    sip.Uri
	routes    []sip.Uri // route set, in the order in which our requests take it
	at        address   // where the peer is reached: transport, and host:port unless the target says so
	behind    bool      // the peer is a telephone, maybe behind NAT: it is reached at `at`, not at its Contact
	hops      uint32    // Max-Forwards of our requests
	updates   bool      // the peer's Allow names UPDATE
}

// dialogKey finds a dialog by what we chose of it, which nobody can guess; the peer's tag is compared after that.
type dialogKey struct{ callID, tag string }

func (d *dialog) key() dialogKey { return dialogKey{d.callID, d.local.tag} }

const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY, PRACK"

// agent names the program, not its version: what a stranger needs not know.
const agent = "Switchboard"

// request builds the next request within the dialog (RFC 3261 section 12.2.1.1).
func (d *dialog) request(method sip.RequestMethod) *sip.Request {
	if method != sip.ACK && method != sip.CANCEL {
		d.localSeq++
	}
	return d.numbered(method, d.localSeq)
}

// numbered builds a request with a CSeq of the caller's choice: an ACK has that of its INVITE.
func (d *dialog) numbered(method sip.RequestMethod, seq uint32) *sip.Request {
	req := sip.NewRequest(method, *d.target.Clone())
	for _, r := range d.routes {
		req.AppendHeader(&sip.RouteHeader{Address: *r.Clone()})
	}
	req.AppendHeader(&sip.FromHeader{DisplayName: d.local.name, Address: *d.local.uri.Clone(), Params: tagged(d.local.tag)})
	req.AppendHeader(&sip.ToHeader{DisplayName: d.remote.name, Address: *d.remote.uri.Clone(), Params: tagged(d.remote.tag)})
	id := sip.CallIDHeader(d.callID)
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
	hops := sip.MaxForwardsHeader(d.hops)
	req.AppendHeader(&hops)
	req.AppendHeader(sip.NewHeader("User-Agent", agent))
	return req
}

// next is where the dialog's requests go: the first route, else the place where a telephone was seen, else the remote target.
func (d *dialog) next() address {
	to := d.at
	uri := d.target
	switch {
	case len(d.routes) > 0:
		uri = d.routes[0]
	case d.behind || to.transport != "udp": // a stream is used again as long as it is open
		return to
	}
	if uri.Host == "" {
		return to
	}
	transport := to.transport
	if t, ok := uri.UriParams.Get("transport"); ok && t != "" {
		transport = strings.ToLower(t)
	}
	if uri.Scheme == "sips" {
		transport = "tls"
	}
	port := uri.Port
	if port == 0 {
		port = sip.DefaultPort(transport)
	}
	to.transport = transport
	to.at = net.JoinHostPort(strings.Trim(uri.Host, "[]"), strconv.Itoa(port))
	return to
}

// peerIs tells whether a message's tag is that of the peer. A dialog that is not confirmed has no settled peer yet: several may answer.
func (d *dialog) peerIs(tag string) bool { return d.remote.tag == "" || d.remote.tag == tag }

// take checks and keeps the number of a request that the peer sent (RFC 3261 section 12.2.2). It says no to one that is out of order.
func (d *dialog) take(req *sip.Request) bool {
	seq := req.CSeq()
	if seq == nil || d.heard && seq.SeqNo <= d.remoteSeq {
		return false
	}
	d.heard, d.remoteSeq = true, seq.SeqNo
	return true
}

// retarget takes a new remote target from a request or response that may bring one (RFC 3261 sections 12.2.1.2 and 12.2.2).
func (d *dialog) retarget(contact *sip.ContactHeader) {
	if contact != nil && contact.Address.Host != "" && !contact.Address.Wildcard {
		d.target = *contact.Address.Clone()
		d.target.Headers = nil
	}
}

// learn takes from a message what the peer is able to.
func (d *dialog) learn(m sip.Message) {
	if list := m.GetHeaders("Allow"); len(list) > 0 {
		d.updates = listed(list, "UPDATE")
	}
}

// accepted opens the dialog that a response to our INVITE makes (RFC 3261 section 12.1.2): its routes come in reverse.
func (d *dialog) accepted(res *sip.Response) {
	if to := res.To(); to != nil {
		d.remote.tag = to.Params.GetOr("tag", "")
	}
	d.routes = recorded(res)
	slices.Reverse(d.routes)
	d.retarget(res.Contact())
	d.learn(res)
}

// uasDialog is the dialog that an INVITE to us makes (RFC 3261 section 12.1.1).
func uasDialog(req *sip.Request, at address, telephone bool) dialog {
	d := dialog{local: party{tag: token()}, at: at, behind: telephone, hops: 70, routes: recorded(req)}
	if id := req.CallID(); id != nil {
		d.callID = id.Value()
	}
	if to := req.To(); to != nil {
		d.local.name, d.local.uri = to.DisplayName, *to.Address.Clone()
	}
	if from := req.From(); from != nil {
		d.remote.name, d.remote.uri = from.DisplayName, *from.Address.Clone()
		d.remote.tag = from.Params.GetOr("tag", "")
		d.target = *from.Address.Clone()
	}
	d.retarget(req.Contact())
	d.take(req)
	d.learn(req)
	return d
}

// recorded is a message's Record-Route, as it is written.
func recorded(m sip.Message) []sip.Uri {
	var out []sip.Uri
	for _, h := range m.GetHeaders("Record-Route") {
		if r, ok := h.(*sip.RecordRouteHeader); ok {
			out = append(out, *r.Address.Clone())
		}
	}
	return out
}

func tagged(tag string) sip.HeaderParams {
	p := sip.NewParams()
	if tag != "" {
		p.Add("tag", tag)
	}
	return p
}

// listed tells whether a header that is a list of words has that word.
func listed(headers []sip.Header, word string) bool {
	for _, h := range headers {
		for _, w := range strings.Split(h.Value(), ",") {
			if strings.EqualFold(strings.TrimSpace(w), word) {
				return true
			}
		}
	}
	return false
}

// token is a word that nobody can guess: a tag or a Call-ID. It has no host in it, which would tell one side where the other is.
func token() string { return rand.Text() }
