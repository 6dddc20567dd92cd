package messaging

import (
	"context"
	"log/slog"
	"net/http"

	"switchboard/comms"
)

// Options are what the door is built from.
type Options struct {
	Log *slog.Logger // nil: nothing is logged
}

// calls are the requests of the document, by their `req`. Those that it does not name are refused with 10002.
var calls = map[string]func(*door, context.Context, *exchange) error{
	"login": (*door).login,
	"send":  (*door).sendOne,
	"sends": (*door).sendMany,
	"get":   (*door).get,
	"file":  (*door).file,
}

// Mount adds the API's two paths (chosen), which are one: `req` says what is asked for, not the path.
func Mount(mux *http.ServeMux, svc *comms.Service, o Options) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &door{svc: svc, log: o.Log, limit: svc.Limits().Data}
	mux.HandleFunc("/message", d.serve)
	mux.HandleFunc("/login", d.serve)
}

type door struct {
	svc   *comms.Service
	log   *slog.Logger
	limit int64 // bytes of data
}

func (d *door) serve(w http.ResponseWriter, r *http.Request) {
	x := exchanges.Get().(*exchange)
	x.w, x.r = w, r
	status, refused := http.StatusOK, false
	if err := d.answer(x); err != nil {
		no := refusalOf(err)
		refused = true
		if no.answer == serverError {
			d.log.ErrorContext(r.Context(), "messaging", "error", err)
		}
		x.refuse(no)
		status = no.status
	}
	if !x.streamed {
		if err := x.send(status); err != nil {
			d.log.DebugContext(r.Context(), "messaging: the client did not take its answer", "error", err)
		}
	}
	if refused {
		x.hearOut()
	}
	x.release() // not deferred: after a panic nobody knows who still holds a part of it
}

// answer does what the request asks, or says why not.
func (d *door) answer(x *exchange) error {
	if x.r.Method != http.MethodPost {
		return &refusal{wrongMethod, "every call is a POST"}
	}
	if err := x.open(d.limit); err != nil {
		return err
	}
	call, ok := calls[string(x.head.bytes(fieldReq))]
	if x.head.err != nil {
		return x.head.err
	}
	if !ok {
		return formatFault("req names no call of this API")
	}
	return call(d, x.r.Context(), x)
}
