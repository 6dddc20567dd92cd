package sip

import "time"

// Stats is what a Server does, for /metrics and /healthz. Counters count from its start.
type Stats struct {
	Calls    int  // live
	MaxCalls int  // that may be
	Draining bool // no new calls are taken

	InHand  int           // new calls that are being decided
	Limit   int           // how many may be, now
	Lag     time.Duration // that what comes in waits before it is read
	Begun   uint64        // new calls that were taken
	Shed    uint64        // new calls that were told to come again (503)
	Invites int           // remembered, so that they are not taken twice

	Taken     uint64 // messages that were let in
	Malformed uint64 // messages that were no SIP
	Dropped   uint64 // messages that there was no room for
	Unparsed  uint64 // messages that passed the gate and could not be parsed
	Throttled uint64 // messages, and connections, of sources that send too many
	Scanners  uint64 // messages of known scanners
	Banned    uint64 // sources that were shut out
	Sources   int    // that are remembered
	Panics    uint64 // handlers that failed

	Phones     int    // telephones that are registered
	Contacts   int    // where they are reached
	Registered uint64 // REGISTERs that were granted
	Refused    uint64 // wrong passwords, and those not looked at because of too many
	Streams    int    // open connections

	Trunks []TrunkStats
}

// TrunkStats is how a line to a carrier stands.
type TrunkStats struct {
	Name       string
	Registered string // "registered", "trying", "failed"; empty: it needs no registration
	Problem    string // why it failed
	Until      time.Time
	Reachable  bool // it answers OPTIONS
	Calls      int
}

// Stats tells how the server does.
func (s *Server) Stats() Stats {
	t := &s.gate.told
	out := Stats{Calls: s.liveCalls(), MaxCalls: s.opt.MaxCalls, Draining: s.draining.Load(), Shed: t.shed.Load(), Taken: t.taken.Load(),
		Malformed: t.malformed.Load(), Unparsed: t.unparsed.Load(), Throttled: t.throttled.Load(), Scanners: t.scanners.Load(), Dropped: t.dropped.Load(),
		Panics: s.panics.Load(), Registered: s.registered.Load(), Refused: s.refusals.Load(), Streams: s.sockets.tcp.count()}
	out.InHand, out.Limit, out.Lag, out.Begun = s.load.now()
	out.Invites = s.invites.count()
	out.Sources, out.Banned = s.sources.count()
	out.Phones, out.Contacts = s.registrar.count()
	if s.sockets.tls != nil {
		out.Streams += s.sockets.tls.count()
	}
	for _, t := range s.trunks.all() {
		t.mu.Lock()
		out.Trunks = append(out.Trunks, TrunkStats{Name: t.Name, Registered: t.state.Registered, Problem: t.state.Problem,
			Until: t.state.Until, Reachable: t.state.Reachable, Calls: t.atOnce})
		t.mu.Unlock()
	}
	return out
}
