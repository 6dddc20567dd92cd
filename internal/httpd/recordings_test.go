package httpd

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// tape opens the recording "7" for the right signature.
type tape struct{ err error }

func (l tape) OpenRecordingLink(_ context.Context, id string, query url.Values) (*comms.Data, error) {
	if l.err != nil {
		return nil, l.err
	}
	if id != "7" || query.Get("signature") != "s" {
		return nil, &comms.Error{Code: comms.NotFound, Text: "there is no such recording"}
	}
	return &comms.Data{Reader: closer{bytes.NewReader([]byte("RIFFsoundsound"))}, Size: 14, FileName: "recording-1.wav", Hash: "abc",
		At: clock.From(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}, nil
}

func tapes(err error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /recordings/{id}", Recordings(tape{err}, slog.New(slog.DiscardHandler)))
	return mux
}

func TestARecording(t *testing.T) {
	w := ask(tapes(nil), "/recordings/7?signature=s")
	for name, want := range map[string]string{
		"Content-Type": "audio/wav", "Content-Disposition": `attachment; filename="recording-1.wav"; filename*=UTF-8''recording-1.wav`,
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, no-store",
		"Etag": `"abc"`, "Accept-Ranges": "bytes", "Content-Length": "14", "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if w.Code != 200 || w.Body.String() != "RIFFsoundsound" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestPartsOfARecording(t *testing.T) {
	for ask1, want := range map[string]struct {
		status      int
		body, place string
	}{
		"bytes=4-8":     {206, "sound", "bytes 4-8/14"},
		"bytes=-5":      {206, "sound", "bytes 9-13/14"},
		"bytes=9-":      {206, "sound", "bytes 9-13/14"},
		"bytes=14-":     {416, "", "bytes */14"},
		"bytes=nothing": {416, "", ""},
	} {
		w := ask(tapes(nil), "/recordings/7?signature=s", "Range", ask1)
		if w.Code != want.status || w.Header().Get("Content-Range") != want.place || want.status == 206 && w.Body.String() != want.body {
			t.Errorf("%s: %d %q %q", ask1, w.Code, w.Header().Get("Content-Range"), w.Body)
		}
	}
	if w := ask(tapes(nil), "/recordings/7?signature=s", "Range", "bytes=0-3,4-8"); w.Code != 206 ||
		!strings.HasPrefix(w.Header().Get("Content-Type"), "multipart/byteranges") || !strings.Contains(w.Body.String(), "audio/wav") {
		t.Errorf("two parts: %d %v", w.Code, w.Header())
	}
	if w := ask(tapes(nil), "/recordings/7?signature=s", "If-None-Match", `"abc"`); w.Code != 304 {
		t.Errorf("unchanged: %d", w.Code)
	}
	r := httptest.NewRequest("HEAD", "/recordings/7?signature=s", nil)
	w := httptest.NewRecorder()
	tapes(nil).ServeHTTP(w, r)
	if w.Code != 200 || w.Header().Get("Content-Length") != "14" || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d %v %q", w.Code, w.Header(), w.Body)
	}
}

func TestRecordingsThatAreRefused(t *testing.T) {
	for status, e := range map[int]*comms.Error{
		404: {Code: comms.NotFound, Text: "there is no such recording"},
		410: {Code: comms.NotFound, Reason: comms.ReasonLinkExpired, Text: "the link has expired"},
		503: {Code: comms.Unavailable, Text: "busy"},
		500: {Code: comms.Internal, Text: "internal error"},
	} {
		w := ask(tapes(e), "/recordings/7?signature=s")
		if w.Code != status || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), e.Text) {
			t.Errorf("%d: %d %s", status, w.Code, w.Body)
		}
	}
	if w := ask(tapes(nil), "/recordings/8"); w.Code != 404 {
		t.Errorf("without a signature: %d", w.Code)
	}
}
