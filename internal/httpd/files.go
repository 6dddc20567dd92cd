package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"switchboard/comms"
)

// Links opens what a signed link names; comms.Service does.
type Links interface {
	OpenLink(ctx context.Context, id string, query url.Values) (*comms.Data, error)
}

// fileStatus is the one place where a refusal becomes a number of this door.
var fileStatus = map[comms.Code]int{
	comms.Invalid:         http.StatusNotFound, // a path that no link has
	comms.Unauthenticated: http.StatusUnauthorized,
	comms.Forbidden:       http.StatusForbidden,
	comms.NotFound:        http.StatusNotFound,
	comms.Conflict:        http.StatusConflict,
	comms.Limited:         http.StatusTooManyRequests,
	comms.Unavailable:     http.StatusServiceUnavailable,
	comms.Internal:        http.StatusInternalServerError,
}

// Files answers GET /files/{id}: the data of a message, to whoever has a link that is still good. Parts can be asked for (RFC 9110,
// section 14). What people send to each other is never shown within our origin: it is a download, of no type, in a sandbox.
func Files(links Links, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, err := links.OpenLink(r.Context(), r.PathValue("id"), r.URL.Query())
		if err != nil {
			refuseFile(w, r, comms.AsError(err), log)
			return
		}
		defer d.Reader.Close()
		name, kind := d.FileName, "application/octet-stream"
		if name == "" {
			name, kind = "message.txt", "text/plain; charset=utf-8"
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Disposition", attachment(name))
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		h.Set("Cache-Control", "private, max-age=60") // no longer than a link that was about to expire, in effect
		if d.Hash != "" {
			h.Set("ETag", `"`+d.Hash+`"`)
		}
		http.ServeContent(w, r, "", d.At.Time(), d.Reader)
	})
}

func refuseFile(w http.ResponseWriter, r *http.Request, e *comms.Error, log *slog.Logger) {
	status := fileStatus[e.Code]
	if e.Reason == comms.ReasonLinkExpired {
		status = http.StatusGone
	}
	if e.Code == comms.Internal || status == 0 {
		log.ErrorContext(r.Context(), "file", "error", e)
		status = http.StatusInternalServerError
	}
	Problem(w, status, e.Text)
}

// attachment is a Content-Disposition with the name in both forms of RFC 6266: ASCII for old clients, and as RFC 8187 (once
// RFC 5987) has it for all others.
func attachment(name string) string {
	var plain, full strings.Builder
	for _, c := range name {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '%' {
			c = '_'
		}
		plain.WriteRune(c)
	}
	for _, c := range []byte(name) {
		if isAttrChar(c) {
			full.WriteByte(c)
		} else {
			const digits = "0123456789ABCDEF"
			full.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return `attachment; filename="` + plain.String() + `"; filename*=UTF-8''` + full.String()
}

// isAttrChar is attr-char of RFC 8187, section 3.2.1.
func isAttrChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}
