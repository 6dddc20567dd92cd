package httpd

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"
)

// Health answers /healthz and /readyz.
type Health struct {
	Version string
	Store   func() any                      // what is worth telling of the store
	Calls   func() any                      // how calls stand; nil: there is nothing to tell
	Ready   func(ctx context.Context) error // whether the store can be read and written

	draining atomic.Bool
}

// Draining makes the program unready for good: it is stopping.
func (h *Health) Draining() { h.draining.Store(true) }

// Alive answers /healthz: that the process serves, whatever the store does, so that nobody restarts it for the store's sake.
func (h *Health) Alive(w http.ResponseWriter, _ *http.Request) {
	h.answer(w, http.StatusOK, "ok")
}

// Usable answers /readyz: whether to send requests here.
func (h *Health) Usable(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		h.answer(w, http.StatusServiceUnavailable, "draining")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := h.Ready(ctx); err != nil {
		h.answer(w, http.StatusServiceUnavailable, "store unavailable")
		return
	}
	h.answer(w, http.StatusOK, "ready")
}

func (h *Health) answer(w http.ResponseWriter, status int, text string) {
	body := struct {
		Status  string `json:"status"`
		Version string `json:"version"`
		Store   any    `json:"store"`
		Calls   any    `json:"calls,omitempty"`
	}{text, h.Version, h.Store(), nil}
	if h.Calls != nil {
		body.Calls = h.Calls()
	}
	b, err := json.Marshal(body)
	if err != nil {
		Problem(w, http.StatusInternalServerError, "internal error")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that went away
}
