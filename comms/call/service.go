package call

import (
	"context"
	"sync"
	"time"

	"switchboard/comms"
)

// Limits bound what one account's calls can cost. Zero means the default.
type Limits struct {
	AtOnce     int           // calls of an account at once (30)
	FreeAtOnce int           // the same on the free plan (10)
	PerMinute  int           // new calls of an account in a minute (60)
	Prefixes   []string      // the beginnings of outside numbers that may be called, E.164 without +; none: all
	RingFor    time.Duration // how long a telephone rings (60 s)
	Longest    time.Duration // the longest conversation (4 h)
}

// What a caller may ask for instead of Limits.RingFor.
const (
	shortestRing = 15 * time.Second
	longestRing  = 180 * time.Second
)

func (l Limits) withDefaults() Limits {
	for v, d := range map[*int]int{&l.AtOnce: 30, &l.FreeAtOnce: 10, &l.PerMinute: 60} {
		if *v == 0 {
			*v = d
		}
	}
	for v, d := range map[*time.Duration]time.Duration{&l.RingFor: time.Minute, &l.Longest: 4 * time.Hour} {
		if *v == 0 {
			*v = d
		}
	}
	return l
}

// Options are what a Service is built from.
type Options struct {
	Archive    Archive
	Voice      Voice         // nil: nothing here can speak
	Recordings string        // folder in which recordings are written while they last
	Retention  time.Duration // how long recordings are kept (90 days); negative: for ever
	Limits     Limits
	Groups     Groups // nil: there are none
	Country    string // the country whose numbers may be dialled without its code (86)

	// Ended is done in the change that ends a call, with its records as they are then; nil: nothing.
	Ended func(ctx context.Context, c *comms.Change, rows []*comms.Call) error

	MaskRest time.Duration // how long a freed number rests before it serves the same party for somebody else (10 min); negative: not at all
}

// Service is the rules of calls. Its methods are the verbs; all are safe for concurrent use.
type Service struct {
	in      comms.Inside
	archive Archive
	voice   Voice
	folder  string
	limits  Limits
	country string
	engine  Engine
	ended   func(ctx context.Context, c *comms.Change, rows []*comms.Call) error
	live    *registry
	groups  Groups
	turns   turns          // place_group.go
	orders  sync.WaitGroup // what was ordered of the engine apart from the call that led to it

	contacts   contactBook   // contact.go
	trunks     trunkWatch    // trunk.go
	recordings recordingDesk // recording.go
	masks      maskClock     // mask_clock.go
}

// New builds the rules of calls over those of everything else.
func New(svc *comms.Service, o Options) *Service {
	if o.Country == "" {
		o.Country = "86"
	}
	s := &Service{in: svc.Inside(), archive: o.Archive, voice: o.Voice, folder: o.Recordings, limits: o.Limits.withDefaults(),
		country: o.Country, ended: o.Ended, live: newRegistry(), groups: o.Groups}
	s.recordings.retention = o.Retention
	s.in.OnNumberDeleted(s.forgetCalls)
	s.in.OnNumberDeleted(s.forgetRecordings)
	s.in.OnNumberDeleted(s.forgetRings)
	s.in.OnNumberDeleted(s.forgetMasks)
	s.masks = newMaskClock(o.MaskRest)
	return s
}

// Attach says who carries the calls. It is called once, before anything is asked of the Service: the engine is built over the rules.
func (s *Service) Attach(e Engine) { s.engine = e }
