package record

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/callrecord"
)

// Direction is which way a call went, seen from the account.
type Direction = callrecord.Direction

// The directions. Of a transfer it is that of its first leg.
const (
	Incoming = callrecord.DirectionIncoming
	Outgoing = callrecord.DirectionOutgoing
)

// Options are what a Service is built from.
type Options struct {
	RecordingLink func(*comms.Recording) (path string) // of a recording of our own (comms/call); nil: they are not shown
	Contents      comms.Contents                       // where imported recordings lie
	LinkTTL       time.Duration                        // how long a link to an imported recording, or to a CSV, is good (one hour)
}

// Service is the rules of call records. Its methods are the verbs; all are safe for concurrent use.
type Service struct {
	in      comms.Inside
	link    func(*comms.Recording) (path string)
	content comms.Contents
	linkTTL time.Duration
	rare    int // page.go; less in tests

	mu  sync.Mutex
	own map[uuid.UUID]string // our numbers by their ids; ended.go
}

// New builds the rules of call records over those of everything else.
func New(svc *comms.Service, o Options) *Service {
	if o.LinkTTL == 0 {
		o.LinkTTL = time.Hour
	}
	s := &Service{in: svc.Inside(), link: o.RecordingLink, content: o.Contents, linkTTL: o.LinkTTL, rare: rare, own: map[uuid.UUID]string{}}
	s.in.OnNumberDeleted(s.forgetRecords)
	return s
}
