package sip

import (
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/clock"
)

// How long a registration lasts, in seconds.
const (
	leastExpires   = 60
	mostExpires    = 3600
	mostOfContacts = 10 // in one REGISTER
	ruleTime       = 10 * time.Second
)

// wish is what a REGISTER asks of one contact.
type wish struct {
	binding
	seconds int // 0: remove it
	all     bool
}

// mostRegisters is how many REGISTERs are in hand at once. After a power cut all telephones come back together; those that are told to
// come again later are let in sooner than if all waited together.
const mostRegisters = 300

// onRegister binds contacts to a telephone (RFC 3261 section 10.3). All of them or none.
func (s *Server) onRegister(req *sip.Request, tx sip.ServerTransaction) {
	defer s.registering.Add(-1)
	if s.registering.Add(1) > mostRegisters {
		s.reply(tx, req, 503, "Service Unavailable", sip.NewHeader("Retry-After", strconv.Itoa(3+rand.IntN(10))))
		return
	}
	phone, ok := s.prove(req, tx)
	if !ok {
		return
	}
	if req.To().Address.User != phone.Number || req.From().Address.User != phone.Number {
		s.reply(tx, req, 403, "Forbidden") // only its own address of record
		return
	}
	wishes, status, reason := wishesOf(req)
	if status != 0 {
		more := []sip.Header{}
		if status == 423 {
			more = append(more, sip.NewHeader("Min-Expires", strconv.Itoa(leastExpires)))
		}
		s.reply(tx, req, status, reason, more...)
		return
	}
	defer s.registrar.turn(phone.ID)()
	now := time.Now()
	for _, w := range wishes {
		for _, b := range s.registrar.of(phone.ID, now) {
			if (w.all || b.text == w.text) && b.callID == w.callID && w.cseq < b.cseq {
				s.reply(tx, req, 500, "Out Of Order") // section 10.3, step 7
				return
			}
		}
	}
	for _, w := range wishes {
		w.secure = phone.Secure
		if err := s.bind(phone, w, now); err != nil {
			s.cannotBind(tx, req, err)
			return
		}
	}
	s.registered.Add(1)
	s.reply(tx, req, 200, "OK", s.contactList(phone, now)...)
}

// bind stores one wish, first where it lasts.
func (s *Server) bind(phone *comms.SipNumber, w wish, now time.Time) error {
	ctx, cancel := context.WithTimeout(s.life, ruleTime)
	defer cancel()
	in := call.SaveContact{Phone: phone.ID, URI: w.text, Source: w.at, Transport: w.by, UserAgent: w.agent, CallID: w.callID, CSeq: int64(w.cseq)}
	if w.seconds > 0 {
		w.expires = now.Add(time.Duration(w.seconds) * time.Second)
		in.Expires = clock.From(w.expires)
	}
	if err := s.rules.SaveContact(ctx, in); err != nil {
		return err
	}
	if w.seconds == 0 {
		s.registrar.remove(phone.ID, w.text)
		return nil
	}
	s.registrar.put(phone.ID, &w.binding)
	return nil
}

func (s *Server) cannotBind(tx sip.ServerTransaction, req *sip.Request, err error) {
	switch {
	case comms.IsCode(err, comms.Conflict): // a later REGISTER came by another process, or there are too many contacts
		s.reply(tx, req, 403, "Too Many Contacts")
	case comms.IsCode(err, comms.NotFound):
		s.reply(tx, req, 404, "Not Found")
	default:
		s.log.Error("a contact can't be stored", "error", err)
		s.reply(tx, req, 500, "Server Internal Error", sip.NewHeader("Retry-After", "10"))
	}
}

// contactList is what is bound now, for the 200 (section 10.3, step 8).
func (s *Server) contactList(phone *comms.SipNumber, now time.Time) []sip.Header {
	out := []sip.Header{sip.NewHeader("Date", now.UTC().Format(http.TimeFormat))} // GMT, RFC 3261 section 20.17
	for _, b := range s.registrar.of(phone.ID, now) {
		h := "<" + b.text + ">;expires=" + strconv.Itoa(int(math.Ceil(b.expires.Sub(now).Seconds())))
		if b.q < 1 {
			h += ";q=" + strconv.FormatFloat(b.q, 'f', -1, 64)
		}
		out = append(out, sip.NewHeader("Contact", h))
	}
	return out
}

// wishesOf reads the contacts of a REGISTER. A status says why they can't be bound.
func wishesOf(req *sip.Request) (out []wish, status int, reason string) {
	fallback := mostExpires
	if h := req.GetHeader("Expires"); h != nil {
		fallback = seconds(h.Value())
	}
	headers := req.GetHeaders("Contact")
	if len(headers) > mostOfContacts {
		return nil, 403, "Too Many Contacts"
	}
	for _, h := range headers {
		c, ok := h.(*sip.ContactHeader)
		if !ok {
			return nil, 400, "Bad Contact"
		}
		w := wish{seconds: fallback, binding: binding{uri: *c.Address.Clone(), at: req.Source(), by: strings.ToLower(req.Transport()),
			callID: req.CallID().Value(), cseq: req.CSeq().SeqNo, q: 1}}
		if h := req.GetHeader("User-Agent"); h != nil {
			w.agent = cut(h.Value(), 100)
		}
		if c.Address.Wildcard {
			if fallback != 0 || len(headers) != 1 || req.GetHeader("Expires") == nil { // section 10.3, step 6
				return nil, 400, "Bad Contact"
			}
			w.all, w.text = true, "*"
			return []wish{w}, 0, ""
		}
		if status, reason = w.read(c); status != 0 {
			return nil, status, reason
		}
		out = append(out, w)
	}
	return out, 0, ""
}

// read takes what a Contact says of itself.
func (w *wish) read(c *sip.ContactHeader) (status int, reason string) {
	if w.uri.Scheme != "sip" && w.uri.Scheme != "sips" {
		return 400, "Bad Contact"
	}
	w.uri.Headers = nil                                                       // what a URI asks to be put into a request is the telephone's wish, not ours (RFC 3261 section 19.1.5)
	w.uri.Host, w.uri.HierarhicalSlashes = strings.ToLower(w.uri.Host), false // by which it is known again (section 19.1.4)
	if w.text = w.uri.String(); len(w.text) > 512 || strings.ContainsAny(w.text, "<>\r\n\"") {
		return 400, "Bad Contact"
	}
	for _, p := range c.Params {
		switch strings.ToLower(strings.TrimSpace(p.K)) {
		case "expires":
			w.seconds = seconds(strings.TrimSpace(p.V))
		case "q":
			if q, err := strconv.ParseFloat(strings.TrimSpace(p.V), 64); err == nil && q >= 0 && q <= 1 {
				w.q = q
			}
		}
	}
	if w.seconds > 0 && w.seconds < leastExpires {
		return 423, "Interval Too Brief"
	}
	w.seconds = min(w.seconds, mostExpires)
	return 0, ""
}

// seconds reads a time. What is none counts as an hour (RFC 3261 section 20.19), and so does what is larger than there is.
func seconds(text string) int {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return mostExpires
	}
	return int(min(n, math.MaxInt32))
}

// cut shortens a text to so many bytes, and drops what can't be stored.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}
