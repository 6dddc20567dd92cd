package httpd

import (
	"encoding/json"
	"net/http"
)

// Problem answers with an RFC 9457 problem. The title says to a client what went wrong and nothing of the inside.
func Problem(w http.ResponseWriter, status int, title string) {
	b, err := json.Marshal(struct {
		Title     string `json:"title"`
		Status    int    `json:"status"`
		RequestID string `json:"requestId,omitempty"`
	}{title, status, w.Header().Get("X-Request-Id")})
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"title":"internal error","status":500}`)
	}
	h := w.Header()
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that went away
}
