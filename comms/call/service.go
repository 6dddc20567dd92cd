package call

import (
	"switchboard/comms"
)

// Options are what a Service is built from.
type Options struct {
	Archive    Archive
	Voice      Voice
	Recordings string // folder in which recordings are written while they last
}

// Service is the rules of calls. Its methods are the verbs; all are safe for concurrent use.
type Service struct {
	in      comms.Inside
	archive Archive
	voice   Voice
	folder  string
}

// New builds the rules of calls over those of everything else.
func New(svc *comms.Service, o Options) *Service {
	return &Service{in: svc.Inside(), archive: o.Archive, voice: o.Voice, folder: o.Recordings}
}
