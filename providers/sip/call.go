package sip

import (
	"context"
	"fmt"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/providers/sip/media"
)

// calls is what lives while there are calls: a Server has one.
type calls struct {
	engine *media.Engine

	tables  sync.Mutex // guards what follows, up to running
	live    map[uuid.UUID]*liveCall
	all     map[*liveCall]struct{} // those too that the rules have not named yet
	dialogs map[dialogKey]*leg
	open    int  // calls that have not ended; all counts those too that still wait for the answer to a BYE
	stopped bool // no call begins any more

	hands   hands
	running sync.WaitGroup // calls, and what they still have to report
	closing context.Context
	closed  context.CancelFunc // reports that can't be stored are given up
}

func newCalls(s *Server) (*calls, error) {
	o := media.Options{Log: s.log}
	host := s.opt.Listen
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		o.Bind = a
	} else { // a name: the address that it stands for
		o.Bind = s.Addr().Addr()
	}
	if a, err := netip.ParseAddr(s.opt.PublicAddress); err == nil {
		o.Public = a
	}
	var err error
	if o.PortMin, o.PortMax, err = portRange(s.opt.MediaPorts); err != nil {
		return nil, err
	}
	engine, err := media.New(o)
	if err != nil {
		return nil, fmt.Errorf("start the media: %w", err)
	}
	c := &calls{engine: engine, live: map[uuid.UUID]*liveCall{}, all: map[*liveCall]struct{}{}, dialogs: map[dialogKey]*leg{}}
	c.closing, c.closed = context.WithCancel(context.Background())
	return c, nil
}

// portRange reads "20000-29999". Empty or "0": any free port.
func portRange(text string) (low, high uint16, err error) {
	if text == "" || text == "0" {
		return 0, 0, nil
	}
	a, b, _ := strings.Cut(text, "-")
	from, err1 := strconv.ParseUint(a, 10, 16)
	to, err2 := strconv.ParseUint(b, 10, 16)
	if err1 != nil || err2 != nil || from == 0 || from >= to {
		return 0, 0, fmt.Errorf("media ports %q are not a range like 20000-29999", text)
	}
	return uint16(from), uint16(to), nil
}

// stage is how far a call has come.
type stage int

const (
	stageRouting  stage = iota // the rules are being asked
	stageDialling              // somebody is rung
	stageAsking                // the caller presses digits
	stageTalking               // both sides are there, or the one that there is to be
	stageEnded                 // all that is left is to part cleanly
)

// liveCall is one call, from the INVITE or the order that began it until the last of its dialogs is closed. All of it belongs to the
// goroutine that empties its mailbox.
type liveCall struct {
	s       *Server
	id      uuid.UUID // what is reported names this; Nil until the rules have named it
	box     mailbox
	stage   stage
	work    int // what is under way and will report back: the goroutine stays until there is none
	verdict *call.Verdict
	first   *leg     // who rang in, or was dialled first; nil: nobody (Hold)
	second  *leg     // whom that one is put through to
	decided func()   // it no longer counts as work in hand
	ended   call.End // once the stage says so
	kept    bool     // the rules have its end already

	dial     *dialling // who is being rung
	transfer *transfer // a side is being replaced
	joined   uuid.UUID // what the second side is called by itself, which came by an ordered transfer; Nil: it did not
	ask      *asking
	asks     int
	bridge   *media.Bridge
	tape     *tape
	speech   *speech
	timers   []*time.Timer // of the whole call; stopped at its end
	reports  reports
}

func newCall(s *Server) *liveCall {
	c := &liveCall{s: s, box: newMailbox(), decided: func() {}}
	c.reports.c = c
	return c
}

// start runs the call in a goroutine of its own. It says no while the server stops for good.
func (c *liveCall) start(first func()) bool {
	s := c.s
	s.tables.Lock()
	if s.stopped {
		s.tables.Unlock()
		return false
	}
	s.all[c] = struct{}{}
	s.open++
	s.running.Add(1)
	s.tables.Unlock()
	c.box.post(first)
	s.hands.do(c.run)
	return true
}

func (c *liveCall) run() {
	defer c.s.running.Done()
	defer c.forget()
	for {
		for _, job := range c.box.take() {
			c.guard(job)
		}
		if c.stage == stageEnded && c.work == 0 && c.box.close() {
			return
		}
	}
}

// guard does one job. A bug in it may end this call, and no other.
func (c *liveCall) guard(job func()) {
	defer func() {
		if p := recover(); p != nil {
			c.s.log.Error("a call failed", "call", c.id, "panic", p, "stack", string(debug.Stack()))
			if c.stage != stageEnded {
				c.end(call.End{Why: call.WhyFailed, By: call.ByUs})
			}
		}
	}()
	job()
}

// named takes the name that the rules gave the call, under which orders find it.
func (c *liveCall) named(id uuid.UUID) {
	if id == uuid.Nil {
		return
	}
	c.s.tables.Lock()
	defer c.s.tables.Unlock()
	if c.id != uuid.Nil && c.s.live[c.id] == c {
		delete(c.s.live, c.id)
	}
	c.id = id
	c.s.live[id] = c
}

// also takes another name, of a side alone.
func (c *liveCall) also(id uuid.UUID) {
	if id == uuid.Nil {
		return
	}
	c.s.tables.Lock()
	defer c.s.tables.Unlock()
	c.s.live[id] = c
}

// sideOver tells that the side of that name is no longer in the call, or never came to be.
func (c *liveCall) sideOver(id uuid.UUID, e call.End) {
	if id == uuid.Nil {
		return
	}
	if e.Cause == 0 {
		e.Cause = meant(e.Why).cause
	}
	c.tellEndOf(id, e)
	if c.tape != nil && c.tape.of == id { // what is said from now on is not that account's to hear
		c.stopTape()
	}
	c.s.tables.Lock()
	defer c.s.tables.Unlock()
	delete(c.s.live, id)
}

func (c *liveCall) forget() {
	c.s.tables.Lock()
	defer c.s.tables.Unlock()
	delete(c.s.all, c)
	if c.s.live[c.id] == c {
		delete(c.s.live, c.id)
	}
}

// after does a job of this call later, unless the call has ended by then. Stopping the timer is enough to call it off.
func (c *liveCall) after(d time.Duration, job func()) *time.Timer {
	return time.AfterFunc(d, func() { c.box.post(job) })
}

// aside does what may block beside the call, and then what follows in the call's own goroutine.
func (c *liveCall) aside(block func(ctx context.Context), then func()) {
	c.work++
	c.s.hands.do(func() {
		c.shielded(func() { block(c.s.closing) })
		c.box.post(func() { // work keeps the box open
			c.work--
			then()
		})
	})
}

// shielded keeps a panic of what runs beside the call from ending the process.
func (c *liveCall) shielded(block func()) {
	defer func() {
		if p := recover(); p != nil {
			c.s.log.Error("a part of a call failed", "call", c.id, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	block()
}

// liveCalls is how many calls there are that have not ended.
func (s *Server) liveCalls() int {
	s.tables.Lock()
	defer s.tables.Unlock()
	return s.open
}

// hangUpAll ends every call; that they have ended is told by liveCalls.
func (s *Server) hangUpAll(why call.Why) {
	s.tables.Lock()
	all := make([]*liveCall, 0, len(s.all))
	for c := range s.all {
		all = append(all, c)
	}
	s.tables.Unlock()
	for _, c := range all {
		c.box.post(func() { c.end(call.End{Why: why, By: call.ByUs}) })
	}
}

// closeCalls waits until every call is over and all of it is stored, or until ctx ends; then it gives up what is left.
func (s *Server) closeCalls(ctx context.Context) error {
	s.tables.Lock()
	s.stopped = true
	s.tables.Unlock()
	over := make(chan struct{})
	go func() {
		s.running.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
	}
	s.closed()
	if err := s.engine.Close(); err != nil {
		return fmt.Errorf("close the media: %w", err)
	}
	return nil
}

// unknown is the error for an order about a call that isn't here.
func unknown() error {
	return &comms.Error{Code: comms.NotFound, Field: "callId", Text: "there is no such live call"}
}

func notNow(text string) error {
	return &comms.Error{Code: comms.Conflict, Field: "callId", Text: text}
}
