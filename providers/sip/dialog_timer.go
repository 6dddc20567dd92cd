package sip

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"switchboard/comms/call"
)

// minSE is the shortest session interval that we take, in seconds (RFC 4028 section 5: no less than 90).
const minSE = 90

// longestSE bounds what a peer may want instead, in seconds: one day. A longer one would be none, and one without bounds no duration at all.
const longestSE = 24 * 3600

// renewal is the session timer of one dialog (RFC 4028): the side that is the refresher sends a request now and then, so that both find
// out when the other is gone without a BYE.
type renewal struct {
	interval int  // seconds; 0: there is no timer
	ours     bool // we are the refresher
	peerDoes bool // the peer supports timers
	failed   bool // the last refresh was refused; the next refusal ends it
	timer    *time.Timer
}

func (s *Server) sessionExpires() int {
	if d := int(s.opt.SessionExpires / time.Second); d > 0 {
		return max(d, minSE)
	}
	return 1800
}

func (r *renewal) stop() {
	if r.timer != nil {
		r.timer.Stop()
	}
}

// sessionHeader reads Session-Expires: "1800;refresher=uac". 0: there is none.
func sessionHeader(m sip.Message) (interval int, refresher string) {
	list := m.GetHeaders("Session-Expires")
	if len(list) == 0 {
		list = m.GetHeaders("x")
	}
	if len(list) == 0 {
		return 0, ""
	}
	number, params, _ := strings.Cut(list[0].Value(), ";")
	interval, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || interval < 0 {
		return 0, ""
	}
	for _, p := range strings.Split(params, ";") {
		if name, value, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(name), "refresher") {
			refresher = strings.ToLower(strings.TrimSpace(value))
		}
	}
	return interval, refresher
}

// shortest reads Min-SE.
func shortest(m sip.Message) int {
	list := m.GetHeaders("Min-SE")
	if len(list) == 0 {
		return 0
	}
	number, _, _ := strings.Cut(list[0].Value(), ";")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil {
		return 0
	}
	return n
}

// tooShort tells whether a request asks for an interval below ours: 422 (RFC 4028 section 9). Who doesn't support timers is not asked to
// change what a proxy wrote.
func tooShort(req *sip.Request) bool {
	interval, _ := sessionHeader(req)
	return interval > 0 && interval < minSE && supportsTimer(req)
}

func supportsTimer(m sip.Message) bool {
	return listed(m.GetHeaders("Supported"), "timer") || listed(m.GetHeaders("k"), "timer") || listed(m.GetHeaders("Require"), "timer")
}

// offered decides, as the UAS of an INVITE or UPDATE, about interval and refresher (RFC 4028 section 9, table 2).
func (r *renewal) offered(l *leg, req *sip.Request) {
	interval, refresher := sessionHeader(req)
	r.peerDoes = supportsTimer(req)
	r.interval = l.s.sessionExpires()
	if interval > 0 {
		r.interval = max(min(r.interval, interval), minSE)
	}
	r.interval = min(max(r.interval, shortest(req)), longestSE)
	r.ours = !r.peerDoes || refresher == "uas"
}

// headers are what the 2xx to a request of the peer says about the timer.
func (r *renewal) headers() []sip.Header {
	if r.interval == 0 {
		return nil
	}
	if r.ours {
		return []sip.Header{sip.NewHeader("Session-Expires", fmt.Sprintf("%d;refresher=uas", r.interval))}
	}
	return []sip.Header{sip.NewHeader("Require", "timer"), sip.NewHeader("Session-Expires", fmt.Sprintf("%d;refresher=uac", r.interval))}
}

// agreed takes, as the UAC of an INVITE or UPDATE, what the 2xx says. Without Session-Expires there is no timer: the callee knows none,
// and RTP alone tells when it is gone.
func (r *renewal) agreed(l *leg, res *sip.Response) {
	interval, refresher := sessionHeader(res)
	if interval > 0 { // less than the Min-SE that we sent is not for the callee to say: we would refresh and refresh
		interval = min(max(interval, minSE), longestSE)
	}
	r.interval, r.ours, r.failed = interval, refresher != "uas", false
	r.arm(l)
}

// longer writes a longer interval into a request that was refused with 422. It says no where the response names none that is longer.
func (r *renewal) longer(again *sip.Request, res *sip.Response) bool {
	least := shortest(res)
	if least <= r.interval || least > longestSE {
		return false
	}
	r.interval = least
	value := strconv.Itoa(least)
	if _, refresher := sessionHeader(again); refresher != "" {
		value += ";refresher=" + refresher
	}
	again.ReplaceHeader(sip.NewHeader("Session-Expires", value))
	again.ReplaceHeader(sip.NewHeader("Min-SE", strconv.Itoa(least)))
	return true
}

// arm starts the timer anew: half the interval until we refresh, or all but the last of it until the peer must have (section 10).
func (r *renewal) arm(l *leg) {
	r.stop()
	if r.interval <= 0 {
		return
	}
	whole := time.Duration(r.interval) * time.Second
	if r.ours {
		r.timer = l.after(whole/2, l.refresh)
		return
	}
	r.timer = l.after(whole-min(32*time.Second, whole/3), l.expired)
}

// expired is told when the peer did not refresh in time.
func (l *leg) expired() {
	if l.state != legConfirmed {
		return
	}
	l.hangUp(call.WhyLost, "")
	l.c.parted(l, call.End{Why: call.WhyLost, By: l.side, Status: 408, Cause: meant(call.WhyLost).cause})
}

// refresh sends the refresh that is due: UPDATE where the peer knows it, which touches no media, else a re-INVITE with what holds now.
func (l *leg) refresh() {
	if l.state != legConfirmed || l.renewing {
		return
	}
	method := sip.INVITE
	if l.d.updates {
		method = sip.UPDATE
	}
	req := l.d.request(method)
	req.AppendHeader(l.s.contact(contactUser, l.d.at))
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	req.AppendHeader(sip.NewHeader("Supported", "timer"))
	req.AppendHeader(sip.NewHeader("Session-Expires", fmt.Sprintf("%d;refresher=uac", l.renewal.interval)))
	req.AppendHeader(sip.NewHeader("Min-SE", strconv.Itoa(minSE)))
	if method == sip.UPDATE {
		req.SetBody(nil)
		l.request(req, func(res *sip.Response) { l.refreshed(req, res) })
		return
	}
	offer, err := l.sound.Offer()
	if err != nil {
		l.s.log.Info("a session could not be offered again", "call", l.c.id, "err", err)
		return
	}
	describe(req, offer)
	l.reinvite(req)
}

// refreshed looks at what became of a refresh.
func (l *leg) refreshed(req *sip.Request, res *sip.Response) {
	if l.state != legConfirmed {
		return
	}
	switch {
	case res != nil && res.IsSuccess():
		l.d.retarget(res.Contact())
		l.d.learn(res)
		l.renewal.agreed(l, res)
	case res == nil || res.StatusCode == 408 || res.StatusCode == 481: // the peer is gone (RFC 3261 section 12.2.1.2)
		l.expired()
	case res.StatusCode == 491: // our requests crossed: RFC 3261 section 14.1 says who waits how long
		l.renewal.timer = l.after(l.glare(), l.refresh)
	case res.StatusCode == 422 && l.renewal.longer(req, res):
		l.refresh()
	case l.renewal.failed:
		l.expired()
	default:
		l.renewal.failed = true
		l.d.updates = l.d.updates && res.StatusCode != 405 && res.StatusCode != 501
		l.renewal.timer = l.after(time.Duration(l.renewal.interval)*time.Second/8, l.refresh)
	}
}
