// Package legacy mounts the doors of the documented APIs, one folder each. What they speak differs; what they do is in comms.
package legacy

import (
	"log/slog"
	"net/http"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/carrier"
	"switchboard/comms/mail"
	"switchboard/comms/pool"
	"switchboard/comms/record"
	"switchboard/legacy/callrecords"
	"switchboard/legacy/messaging"
	"switchboard/legacy/moor"
	"switchboard/legacy/opencloud"
	"switchboard/legacy/privacycall"
)

// Options are what the doors are built from.
type Options struct {
	Calls      *call.Service                         // the rules of calls
	Pools      *pool.Service                         // the rules of number pools; nil: nobody can ask for one
	SIP        func(host string, secure bool) string // where telephones register, for who knows this server by that name; nil: nowhere
	Records    *record.Service                       // of call records
	Carriers   *carrier.Service
	Mails      *mail.Service
	PublicURL  string          // under which clients reach this server
	MaxSockets int             // live sockets of one account; 0: each door's own default
	Drain      <-chan struct{} // closed when the program stops; nil: never
	Log        *slog.Logger    // nil: nothing is logged
}

// Mount adds every documented API's paths.
func Mount(mux *http.ServeMux, svc *comms.Service, o Options) {
	opencloud.Mount(mux, svc, opencloud.Options{Calls: o.Calls, PublicURL: o.PublicURL, MaxSockets: o.MaxSockets, Drain: o.Drain, Log: o.Log})
	messaging.Mount(mux, svc, messaging.Options{Log: o.Log})
	callrecords.Mount(mux, svc, callrecords.Options{Mails: o.Mails, Carriers: o.Carriers, Records: o.Records, PublicURL: o.PublicURL, Log: o.Log})
	privacycall.Mount(mux, privacycall.Options{Calls: o.Calls, PublicURL: o.PublicURL, Log: o.Log})
	if o.Pools != nil {
		moor.Mount(mux, moor.Options{Calls: o.Calls, Pools: o.Pools, PublicURL: o.PublicURL, SIP: o.SIP, Log: o.Log})
	}
}
