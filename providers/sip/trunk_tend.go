package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"

	"switchboard/comms/call"
)

const (
	askTrunk    = 30 * time.Second // between two OPTIONS, by which NAT and firewalls are kept open as well
	firstRetry  = 5 * time.Second
	lastRetry   = 10 * time.Minute
	lookUpTrunk = 5 * time.Minute // how long the addresses of a host are believed
	trunkTime   = 35 * time.Second
	askExpires  = 600 // seconds of a registration that we ask for
)

// loadTrunks takes over the trunks as they are now. A line that did not change goes on as it is; calls through one that did go on too.
func (s *Server) loadTrunks(ctx context.Context) error {
	rows, err := s.rules.Trunks(ctx)
	if err != nil {
		return fmt.Errorf("read trunks: %w", err)
	}
	s.trunks.mu.Lock()
	defer s.trunks.mu.Unlock()
	there := map[uuid.UUID]bool{}
	for _, row := range rows {
		there[row.ID] = true
		old := s.trunks.byID[row.ID]
		if old != nil && sameLine(old.TrunkLine, row) {
			continue
		}
		line, err := newTrunk(row)
		if err != nil {
			s.log.ErrorContext(ctx, "a trunk can't be used", "trunk", row.Name, "error", err)
			continue
		}
		if old != nil {
			s.trunks.stop[row.ID]()
			old.mu.Lock()
			line.begun = old.begun
			old.mu.Unlock()
		}
		tend, stop := context.WithCancel(s.life)
		s.trunks.byID[row.ID], s.trunks.stop[row.ID] = line, stop
		s.tasks.Go(func() { s.guard("trunk", func() { s.tend(tend, line) }) })
	}
	for id, stop := range s.trunks.stop {
		if !there[id] {
			stop()
			delete(s.trunks.byID, id)
			delete(s.trunks.stop, id)
		}
	}
	return nil
}

func sameLine(a, b *call.TrunkLine) bool {
	return a.Password == b.Password && a.Address == b.Address && a.Transport == b.Transport && a.Username == b.Username && a.Register == b.Register &&
		a.Name == b.Name && a.Concurrency == b.Concurrency && a.PerMinute == b.PerMinute && reflect.DeepEqual(a.Sources, b.Sources) &&
		a.CallerID == b.CallerID && a.FixedCaller == b.FixedCaller && reflect.DeepEqual(a.Prefixes, b.Prefixes)
}

// tend keeps a line alive until ctx ends: it registers where the carrier wants that, asks whether he lives, and looks up where he is.
func (s *Server) tend(ctx context.Context, t *trunkLine) {
	select {
	case <-s.begun:
	case <-ctx.Done():
		return
	}
	reg := &registration{t: t, callID: uuid.NewString(), tag: sip.GenerateTagN(16), ask: askExpires, wait: firstRetry}
	register, ask, look := time.NewTimer(0), time.NewTimer(0), time.NewTimer(0)
	defer register.Stop()
	defer ask.Stop()
	defer look.Stop()
	if !t.Register {
		register.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			s.farewell(reg)
			return
		case <-look.C:
			t.lookUp(ctx)
			look.Reset(jitter(lookUpTrunk))
		case <-register.C:
			register.Reset(s.register(ctx, reg))
		case <-ask.C:
			s.askTrunk(ctx, t)
			ask.Reset(jitter(askTrunk))
		}
	}
}

// jitter is a time between 80 and 100 percent of d, so that not all lines do the same at the same moment.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/5+1))
}

// lookUp finds the addresses of the carrier's host, for a line that says no sources.
func (t *trunkLine) lookUp(ctx context.Context) {
	if _, err := netip.ParseAddr(t.host); err == nil || len(t.sources) > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", t.host)
	if err != nil {
		return // what was found before stays
	}
	for i, a := range found {
		found[i] = a.Unmap()
	}
	t.mu.Lock()
	t.found = found
	t.mu.Unlock()
}

// askTrunk sends OPTIONS. Any answer tells that the carrier lives; many know no OPTIONS, so no call is refused for want of one.
func (s *Server) askTrunk(ctx context.Context, t *trunkLine) {
	to := t.address("")
	req := sip.NewRequest(sip.OPTIONS, to.uri)
	s.identity(req, t, to, "")
	ctx, cancel := context.WithTimeout(ctx, trunkTime)
	defer cancel()
	_, err := s.ask(ctx, req, to)
	t.mu.Lock()
	was := t.state.Reachable || !t.state.Asked
	t.state.Reachable, t.state.Asked = err == nil, true
	t.mu.Unlock()
	if was && err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "a trunk does not answer", "trunk", t.Name)
	}
}

// ask sends a request and waits for its final response.
func (s *Server) ask(ctx context.Context, req *sip.Request, to address) (*sip.Response, error) {
	tx, err := s.request(ctx, req, to)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, fmt.Errorf("no answer to %s: %w", req.Method, tx.Err())
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// identity says who we are to a carrier: From and To (RFC 3261 section 10.2 for REGISTER).
func (s *Server) identity(req *sip.Request, t *trunkLine, to address, tag string) {
	user := t.Username
	if user == "" {
		user = "switchboard"
	}
	from := &sip.FromHeader{Address: sip.Uri{Scheme: "sip", User: user, Host: to.uri.Host}}
	if tag == "" {
		tag = sip.GenerateTagN(16)
	}
	from.Params.Add("tag", tag)
	dest := &sip.ToHeader{Address: sip.Uri{Scheme: "sip", User: user, Host: to.uri.Host}}
	if req.Method != sip.REGISTER {
		dest.Address.User = ""
	}
	req.AppendHeader(from)
	req.AppendHeader(dest)
	req.AppendHeader(sip.NewHeader("User-Agent", agent))
}

// registration is our binding at a carrier.
type registration struct {
	t      *trunkLine
	callID string
	tag    string
	cseq   uint32
	ask    int           // seconds
	wait   time.Duration // until the next try, if this one fails
	bound  bool
}

// register asks the carrier for a registration, and says when to do so again.
func (s *Server) register(ctx context.Context, r *registration) time.Duration {
	r.t.report(func(st *trunkState) {
		if st.Registered != "registered" {
			st.Registered = "trying"
		}
	})
	lasts, err := s.registerOnce(ctx, r, r.ask)
	if err == nil {
		r.bound, r.wait = true, firstRetry
		until := time.Now().Add(lasts)
		r.t.report(func(st *trunkState) {
			*st = trunkState{Registered: "registered", Until: until, Reachable: true, Asked: true}
		})
		return max(time.Second, jitter(lasts*4/5))
	}
	if ctx.Err() != nil {
		return time.Hour // it ends
	}
	r.bound = false
	r.t.report(func(st *trunkState) { st.Registered, st.Problem = "failed", err.Error() })
	s.log.WarnContext(ctx, "a trunk is not registered", "trunk", r.t.Name, "error", err)
	next := jitter(r.wait)
	r.wait = min(r.wait*2, lastRetry)
	return next
}

func (t *trunkLine) report(fn func(*trunkState)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fn(&t.state)
}

// tries is how often one registration is asked for: at first, after 423, with a password, and after a stale nonce.
const tries = 5

// registerOnce asks for so many seconds; zero ends the registration.
func (s *Server) registerOnce(ctx context.Context, r *registration, ask int) (time.Duration, error) {
	to := r.t.address("")
	req := sip.NewRequest(sip.REGISTER, to.uri)
	s.identity(req, r.t, to, r.tag)
	id := sip.CallIDHeader(r.callID)
	req.AppendHeader(&id)
	r.cseq++
	req.AppendHeader(&sip.CSeqHeader{SeqNo: r.cseq, MethodName: sip.REGISTER})
	req.AppendHeader(s.contact(r.t.Username, to))
	req.AppendHeader(sip.NewHeader("Expires", strconv.Itoa(ask)))
	for range tries {
		ctx, cancel := context.WithTimeout(ctx, trunkTime)
		res, err := s.ask(ctx, req, to)
		cancel()
		r.cseq = req.CSeq().SeqNo
		if err != nil {
			return 0, errors.New("the carrier does not answer")
		}
		switch {
		case res.StatusCode == 200:
			return granted(res, ask), nil
		case res.StatusCode == 401 || res.StatusCode == 407:
			if err := r.t.authorize(req, res); err != nil {
				return 0, err
			}
		case res.StatusCode == 423:
			n := 0
			if h := res.GetHeader("Min-Expires"); h != nil {
				n = seconds(h.Value())
			}
			if n <= ask || n > 24*3600 {
				return 0, fmt.Errorf("the carrier finds %d s too brief and does not say more", ask)
			}
			ask, r.ask = n, n
			req.ReplaceHeader(sip.NewHeader("Expires", strconv.Itoa(ask)))
			req.RemoveHeader("Via")
			req.CSeq().SeqNo++
		default:
			return 0, fmt.Errorf("the carrier answers %d %s", res.StatusCode, cut(res.Reason, 60))
		}
	}
	return 0, errors.New("the carrier asks again and again")
}

// granted is how long the carrier keeps our contact: he may say so of the contact or of all (RFC 3261 section 10.2.4).
func granted(res *sip.Response, asked int) time.Duration {
	n := asked
	if h := res.GetHeader("Expires"); h != nil {
		n = seconds(strings.TrimSpace(h.Value()))
	}
	if list := res.GetHeaders("Contact"); len(list) == 1 { // of several it can't be told which is ours
		if c, ok := list[0].(*sip.ContactHeader); ok {
			if v, ok := c.Params.Get("expires"); ok {
				n = seconds(v)
			}
		}
	}
	return time.Duration(max(n, 10)) * time.Second
}

// farewell ends our registration when the server stops or the line goes.
func (s *Server) farewell(r *registration) {
	if !r.bound {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := s.registerOnce(ctx, r, 0); err != nil {
		s.log.Debug("a trunk was not told that we go", "trunk", r.t.Name, "error", err)
	}
}
