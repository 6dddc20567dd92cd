package httpd

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
)

// PushKey answers GET /push/key: the public key that an app names when it subscribes to Web Push (Push API, applicationServerKey), in base64url.
// It is the same for everybody, and for ever.
func PushKey(key func(context.Context) (string, error), log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k, err := key(r.Context())
		if err != nil {
			log.ErrorContext(r.Context(), "read the key for push services", "error", err)
			http.Error(w, "the key can't be read, try again", http.StatusServiceUnavailable)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(k)))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "public, max-age=3600")
		_, _ = io.WriteString(w, k) // who went away needs it no more
	})
}
