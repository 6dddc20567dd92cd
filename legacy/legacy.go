// Package legacy mounts the doors of the documented APIs, one folder each. What they speak differs; what they do is in comms.
package legacy

import (
	"log/slog"
	"net/http"

	"switchboard/comms"
	"switchboard/legacy/messaging"
	"switchboard/legacy/opencloud"
)

// Options are what the doors are built from.
type Options struct {
	PublicURL  string          // under which clients reach this server
	MaxSockets int             // live sockets of one account; 0: each door's own default
	Drain      <-chan struct{} // closed when the program stops; nil: never
	Log        *slog.Logger    // nil: nothing is logged
}

// Mount adds every documented API's paths.
func Mount(mux *http.ServeMux, svc *comms.Service, o Options) {
	opencloud.Mount(mux, svc, opencloud.Options{PublicURL: o.PublicURL, MaxSockets: o.MaxSockets, Drain: o.Drain, Log: o.Log})
	messaging.Mount(mux, svc, messaging.Options{Log: o.Log})
}
