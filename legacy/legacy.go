// Package legacy mounts the doors of the documented APIs, one folder each. What they speak differs; what they do is in comms.
package legacy

import (
	"log/slog"
	"net/http"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/legacy/messaging"
	"switchboard/legacy/opencloud"
	"switchboard/legacy/privacycall"
)

// Options are what the doors are built from.
type Options struct {
	Calls      *call.Service   // the rules of calls
	PublicURL  string          // under which clients reach this server
	MaxSockets int             // live sockets of one account; 0: each door's own default
	Drain      <-chan struct{} // closed when the program stops; nil: never
	Log        *slog.Logger    // nil: nothing is logged
}

// Mount adds every documented API's paths.
func Mount(mux *http.ServeMux, svc *comms.Service, o Options) {
	opencloud.Mount(mux, svc, opencloud.Options{Calls: o.Calls, PublicURL: o.PublicURL, MaxSockets: o.MaxSockets, Drain: o.Drain, Log: o.Log})
	messaging.Mount(mux, svc, messaging.Options{Log: o.Log})
	privacycall.Mount(mux, privacycall.Options{Calls: o.Calls, PublicURL: o.PublicURL, Log: o.Log})
}
