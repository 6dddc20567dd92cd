package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"

	"switchboard/comms"
)

// RecordingLinks opens what a signed link of a recording names; call.Service does.
type RecordingLinks interface {
	OpenRecordingLink(ctx context.Context, id string, query url.Values) (*comms.Data, error)
}

// Recordings answers GET and HEAD /recordings/{id}: a recording, to whoever has a link that is still good. Parts can be asked for (RFC
// 9110, section 14), so that a player can begin in the middle. A WAV says of itself that it is one (RFC 2361), yet it is a download: it
// is what people said, and has no business within our origin.
func Recordings(links RecordingLinks, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, err := links.OpenRecordingLink(r.Context(), r.PathValue("id"), r.URL.Query())
		if err != nil {
			refuseFile(w, r, comms.AsError(err), log)
			return
		}
		defer d.Reader.Close()
		h := w.Header()
		h.Set("Content-Type", "audio/wav")
		h.Set("Content-Disposition", attachment(d.FileName))
		h.Set("X-Content-Type-Options", "nosniff") // also where nobody stands around this door
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		h.Set("Cache-Control", "private, no-store") // a recording that is deleted is gone
		h.Set("ETag", `"`+d.Hash+`"`)
		http.ServeContent(w, r, "", d.At.Time(), d.Reader)
	})
}
