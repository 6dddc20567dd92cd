package httpd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/record"
	"switchboard/internal/clock"
	"switchboard/internal/content"
	"switchboard/internal/house"
)

// registry is the real rules of call records with an account that has some, and its credentials.
type registry struct {
	*record.Service
	svc        *comms.Service
	ctx        context.Context // the account's
	account    uuid.UUID
	token, key string
	fails      error // where it is set, what comes after the first records
}

func (r *registry) EachRecord(ctx context.Context, q record.Search, fn func([]*record.Row) error) error {
	return r.Service.EachRecord(ctx, q, func(rows []*record.Row) error { return errors.Join(fn(rows), r.fails) })
}

var january = clock.From(time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC))

func newRegistry(t *testing.T) *registry {
	t.Helper()
	contents, err := content.Open(content.Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := comms.New(comms.Options{Store: house.SQLite(t), Contents: contents, Secret: bytes.Repeat([]byte{7}, 32), HashCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	got, err := svc.Register(t.Context(), comms.Register{Email: "a@example.com", Password: "correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	r := &registry{Service: record.New(svc, record.Options{Contents: contents}), svc: svc, account: got.Account.ID}
	r.ctx = comms.WithActor(t.Context(), &comms.Actor{AccountID: r.account, Scopes: 1<<16 - 1})
	for scope, to := range map[comms.Scope]*string{comms.ReadRecords: &r.token, comms.ReadMessages: &r.key} {
		made, err := svc.CreateApiToken(r.ctx, comms.CreateApiToken{Scopes: scope})
		if err != nil {
			t.Fatal(err)
		}
		*to = made.Value
	}
	return r
}

func (r *registry) add(t *testing.T, records ...record.NewRecord) {
	t.Helper()
	err := r.svc.Inside().Change(t.Context(), func(ctx context.Context, c *comms.Change) error {
		_, err := r.Add(ctx, c, r.account, uuid.New(), records)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (r *registry) door() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /records.csv", RecordsCSV{Records: r, Callers: r.svc, URL: "https://tel.example.com/", Log: slog.New(slog.DiscardHandler)})
	mux.Handle("GET /records/{id}/recording", Sounds(r, slog.New(slog.DiscardHandler)))
	return mux
}

func TestACSVOfRecords(t *testing.T) {
	r := newRegistry(t)
	r.add(t, record.NewRecord{ForeignID: "1", Calling: "0033600000001", Called: "+33972000001", Dialed: "3008", Direction: record.Incoming, StartedAt: january,
		Duration: 61, Hangup: `=HYPERLINK("http://x"),` + "really"},
		record.NewRecord{ForeignID: "2", Calling: "anonymous", Called: "+1*2", Dialed: "-1", Direction: record.Outgoing, Way: "transfer", StartedAt: january + 1e6})
	link, _, err := r.CSVLink(r.ctx, record.Search{Numbers: []string{"anonymous"}})
	if err != nil {
		t.Fatal(err)
	}
	const head = "id,started_at,direction,way,calling,called,dialed,duration,hangup,recording\r\n"
	const first = `1,2026-01-02T03:04:05.678Z,incoming,incoming,0033600000001,0033972000001,3008,61,"'=HYPERLINK(""http://x""),really",` + "\r\n"
	const second = "2,2026-01-02T03:04:06.678Z,outgoing,transfer,anonymous,'+1*2,'-1,0,,\r\n"
	for _, c := range []struct{ path, want, credential string }{
		{"/records.csv", head + second + first, "Bearer " + r.token},
		{"/records.csv?number=anonymous&not=1&limit=1&offset=7&format=csv", head + first, "bearer " + r.token},
		{"/records.csv?direction=OUT&number=%2B33600000001", head, "Bearer " + r.token},
		{link, head + second, ""},
	} {
		w := ask(r.door(), c.path, "Authorization", c.credential)
		if w.Code != 200 || w.Body.String() != c.want {
			t.Errorf("%s: %d\n%s", c.path, w.Code, w.Body)
		}
		for name, want := range map[string]string{"Content-Type": "text/csv; charset=utf-8; header=present", "Cache-Control": "private, no-store",
			"Content-Disposition": `attachment; filename="records.csv"; filename*=UTF-8''records.csv`, "X-Content-Type-Options": "nosniff"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", c.path, name, got)
			}
		}
	}
	head1 := httptest.NewRequest("HEAD", link, nil)
	w := httptest.NewRecorder()
	if r.door().ServeHTTP(w, head1); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Disposition") == "" {
		t.Errorf("HEAD: %d %v %s", w.Code, w.Header(), w.Body)
	}
}

// Every refusal comes before the first byte, as a problem.
func TestACSVThatIsRefused(t *testing.T) {
	r := newRegistry(t)
	link, _, err := r.CSVLink(r.ctx, record.Search{})
	if err != nil {
		t.Fatal(err)
	}
	old, _, err := record.New(r.svc, record.Options{LinkTTL: -time.Hour}).CSVLink(r.ctx, record.Search{})
	if err != nil {
		t.Fatal(err)
	}
	good := "Bearer " + r.token
	for _, c := range []struct {
		path, credential string
		want             int
	}{
		{"/records.csv", "", 401},
		{"/records.csv", "Bearer nonsense", 401},
		{"/records.csv", "Basic " + r.token, 401},
		{"/records.csv", "Bearer " + r.key, 403}, // it reads messages only
		{"/records.csv?durationmin=ten", good, 400},
		{"/records.csv?direction=UP", good, 400},
		{"/records.csv?number=", good, 400},
		{"/records.csv?durationMin=10", good, 400},
		{"/records.csv?format=xlsx", good, 400},
		{link + "&number=1", "", 404},
		{strings.Replace(link, "signature=", "signature=x", 1), good, 404},
		{old, "", 410},
	} {
		w := ask(r.door(), c.path, "Authorization", c.credential)
		if w.Code != c.want || w.Header().Get("Content-Type") != "application/problem+json" || !strings.HasPrefix(w.Body.String(), `{"title":"`) {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
	}
	if w := ask(r.door(), "/records.csv", "X-API-Key", r.token); w.Code != 200 {
		t.Errorf("an API token as X-API-Key: %d", w.Code)
	}
}

func TestEveryCodeHasAStatusOfRecords(t *testing.T) {
	for _, c := range comms.Codes() {
		w := httptest.NewRecorder()
		RecordsCSV{Log: slog.New(slog.DiscardHandler)}.refuse(w, httptest.NewRequest("GET", "/records.csv", nil), &comms.Error{Code: c, Text: "no"})
		if want, ok := recordsStatus[c]; !ok || w.Code != want {
			t.Errorf("%v: %d, want %d", c, w.Code, want)
		}
	}
}

// many are records enough for several batches.
func many(n int) (out []record.NewRecord) {
	for i := range n {
		out = append(out, record.NewRecord{ForeignID: fmt.Sprint(i), Calling: "0033600000001", Called: "0033972000001", Dialed: "0033972000001",
			Direction: record.Incoming, StartedAt: january + clock.Micros(i), Hangup: strings.Repeat("x", 200)})
	}
	return out
}

// A CSV that can't be ended is broken off, so that nobody takes it for whole.
func TestACSVThatBreaksOff(t *testing.T) {
	for fails, want := range map[error]int{nil: 1201, errors.New("the database is gone"): 0} {
		r := newRegistry(t)
		r.add(t, many(1200)...)
		r.fails = fails
		server := httptest.NewServer(Around{Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(), Sockets: NewSockets()}.Wrap(r.door()))
		t.Cleanup(server.Close)
		req, err := http.NewRequest("GET", server.URL+"/records.csv", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+r.token)
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if fails != nil {
			if err == nil || res.StatusCode != 200 {
				t.Errorf("it ended as if it were whole: %d, %d bytes", res.StatusCode, len(body))
			}
			continue
		}
		lines, err2 := csv.NewReader(bytes.NewReader(body)).ReadAll()
		if err != nil || err2 != nil || len(lines) != want {
			t.Errorf("%d lines, %v %v", len(lines), err, err2)
		}
	}
}

// counting tells how many records were read.
type counting struct {
	*registry
	read chan int
	done chan error
}

func (c *counting) EachRecord(ctx context.Context, q record.Search, fn func([]*record.Row) error) error {
	err := c.registry.EachRecord(ctx, q, func(rows []*record.Row) error { c.read <- len(rows); return fn(rows) })
	c.done <- err
	return err
}

// Who goes away stops the reading, and who is slow has no more read for him than the connection holds.
func TestAClientThatGoesAway(t *testing.T) {
	r := newRegistry(t)
	list := many(40_000)
	for len(list) > 0 {
		r.add(t, list[:5000]...)
		list = list[5000:]
	}
	c := &counting{r, make(chan int, 1000), make(chan error, 1)}
	server := httptest.NewServer(RecordsCSV{Records: c, Callers: r.svc, Log: slog.New(slog.DiscardHandler)})
	defer server.Close()
	req, err := http.NewRequest("GET", server.URL+"/records.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", r.token)
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if err := <-c.done; err == nil {
		t.Error("all was read for nobody")
	}
	read := 0
	for len(c.read) > 0 {
		read += <-c.read
	}
	if read >= 40_000 {
		t.Errorf("%d records were read", read)
	}
}

// hole takes a CSV and notes how much memory is in use while it comes.
type hole struct {
	http.ResponseWriter
	most uint64
}

func (h *hole) Write(p []byte) (int, error) { return len(p), nil }

func (h *hole) FlushError() error {
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); m.HeapAlloc > h.most {
		h.most = m.HeapAlloc
	}
	return nil
}

// However long a CSV gets, it takes no more memory than a part of it: 40,000 lines are 12 MB.
func TestTheMemoryOfACSV(t *testing.T) {
	r := newRegistry(t)
	list := many(40_000)
	for ; len(list) > 0; list = list[5000:] {
		r.add(t, list[:5000]...)
	}
	list = nil
	if _, err := r.CountRecords(r.ctx, record.Search{}); err != nil {
		t.Fatal(err)
	}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	h := &hole{ResponseWriter: httptest.NewRecorder()}
	req := httptest.NewRequest("GET", "/records.csv", nil)
	req.Header.Set("X-API-Key", r.token)
	r.door().ServeHTTP(h, req)
	if grown := int64(h.most) - int64(before.HeapAlloc); h.most == 0 || grown > 24<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

func TestAnImportedRecording(t *testing.T) {
	r := newRegistry(t)
	sounds := map[string]struct{ data, kind, name string }{
		"1": {"RIFF\x00\x00\x00\x00WAVEfmt and so on", "audio/wav", "recording-20260102T030405Z.wav"},
		"2": {"\xff\xfb\x90\x64 and so on", "audio/mpeg", "recording-20260102T030405Z.mp3"},
		"3": {"ID3\x03 and so on", "audio/mpeg", "recording-20260102T030405Z.mp3"},
		"4": {"<html><script>", "application/octet-stream", "recording-20260102T030405Z.bin"},
	}
	for calling, s := range sounds {
		r.add(t, record.NewRecord{ForeignID: calling, Calling: calling, Called: "3008", Direction: record.Incoming, StartedAt: january})
		found, err := r.AddSound(t.Context(), r.account, record.AddSound{Calling: calling, Called: "3008", StartedAt: january, Data: strings.NewReader(s.data)})
		if err != nil || !found {
			t.Fatal(found, err)
		}
	}
	rows, err := r.RecordsAt(r.ctx, record.Search{}, 10, 0)
	if err != nil || len(rows) != len(sounds) {
		t.Fatal(rows, err)
	}
	for _, row := range rows {
		s := sounds[row.Calling]
		w := ask(r.door(), row.Recording)
		if w.Code != 200 || w.Body.String() != s.data || w.Header().Get("Content-Type") != s.kind ||
			!strings.Contains(w.Header().Get("Content-Disposition"), `attachment; filename="`+s.name+`"`) {
			t.Errorf("%s: %d %v %q", row.Calling, w.Code, w.Header(), w.Body)
		}
		if w := ask(r.door(), row.Recording, "Range", "bytes=1-3"); w.Code != 206 || w.Body.String() != s.data[1:4] {
			t.Errorf("a part: %d %q", w.Code, w.Body)
		}
		u, err := url.Parse(row.Recording)
		if err != nil {
			t.Fatal(err)
		}
		if w := ask(r.door(), u.Path); w.Code != 404 {
			t.Errorf("without a signature: %d", w.Code)
		}
	}
}
