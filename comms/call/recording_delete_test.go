package call

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/ent/call"
	"switchboard/ent/recording"
	"switchboard/internal/clock"
	"switchboard/internal/httpd"
)

// ready is a recording of a second that is kept.
func (o *office) ready() *comms.Recording {
	o.Helper()
	r := o.recorded()
	o.ended(r, Recorded{File: o.write(r, second, 0)})
	return o.reread(r)
}

// fetch asks for a part of what a link names; empty: for all of it.
func (o *office) fetch(link, part string) (int, string) {
	o.Helper()
	req, err := http.NewRequestWithContext(o.Context(), "GET", link, nil)
	if err != nil {
		o.Fatal(err)
	}
	if part != "" {
		req.Header.Set("Range", part)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		o.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		o.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestLinksOfRecordings(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		mux := http.NewServeMux()
		mux.Handle("GET /recordings/{id}", httpd.Recordings(o.calls, slog.New(slog.DiscardHandler)))
		server := httptest.NewServer(mux)
		defer server.Close()
		get := func(path, part string) (int, string) { return o.fetch(server.URL+path, part) }
		r, running := o.ready(), o.recorded()
		good, expires := o.calls.RecordingLink(r)
		if left := expires.Sub(clock.Now()); left < time.Hour || left > time.Hour+time.Minute {
			o.Errorf("it is good for %v", left)
		}
		whole := string(o.kept(r))
		if status, body := get(good, ""); status != 200 || body != whole {
			o.Errorf("%d, %d bytes", status, len(body))
		}
		if status, body := get(good, "bytes=44-47"); status != 206 || body != "\x01\x00\x02\x00" {
			o.Errorf("a part: %d %q", status, body)
		}
		if status, _ := get(good, "bytes="+strconv.Itoa(len(whole))+"-"); status != 416 {
			o.Errorf("beyond its end: %d", status)
		}
		other := o.ready()
		past := strconv.FormatInt(clock.Now().Unix()-1, 10)
		noLink, _ := o.calls.RecordingLink(running)
		noRow, _ := o.calls.RecordingLink(&comms.Recording{ID: uuid.New()})
		for path, want := range map[string]int{
			"/recordings/" + r.ID.String():                             404,
			strings.Replace(good, r.ID.String(), other.ID.String(), 1): 404,
			strings.Replace(good, "expires=", "expires=1", 1):          404,
			good[:len(good)-2]:                                         404,
			"/recordings/" + r.ID.String() + "?expires=" + past + "&signature=" + o.calls.signRecording(r.ID.String(), past): 410,
			noLink: 404,
			noRow:  404,
		} {
			if status, body := get(path, ""); status != want || strings.Contains(body, "RIFF") {
				o.Errorf("%s: %d", path, status)
			}
		}
		// A link of a file is none of a recording.
		if _, err := o.svc.OpenLink(o.Context(), r.ID.String(), url.Values{}); err == nil {
			o.Error("the door of files opened it")
		}
		if _, err := o.calls.DeleteRecording(o.ctx, r.ID); err != nil {
			o.Fatal(err)
		}
		if status, _ := get(good, ""); status != 404 {
			o.Errorf("deleted: %d", status)
		}
	})
}

func TestRecordingsOfOthers(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		r := o.ready()
		deaf := comms.WithActor(o.Context(), &comms.Actor{AccountID: o.account, Scopes: comms.ReadNumbers})
		for name, do := range map[string]func(ctx context.Context) error{
			"read":   func(ctx context.Context) error { _, err := o.calls.Recording(ctx, r.ID); return err },
			"delete": func(ctx context.Context) error { _, err := o.calls.DeleteRecording(ctx, r.ID); return err },
		} {
			o.is("a stranger: "+name, do(o.stranger), "NOT_FOUND id")
			o.is("nobody: "+name, do(o.Context()), "UNAUTHENTICATED")
			o.is("without the scope: "+name, do(deaf), "FORBIDDEN")
		}
		for name, c := range map[string]struct {
			ctx  context.Context
			want int
		}{"owner": {o.ctx, 1}, "stranger": {o.stranger, 0}} {
			list, err := o.calls.Recordings(c.ctx, RecordingFilter{CallIDs: []uuid.UUID{r.CallID}}, comms.Page{})
			if err != nil || len(list.Items) != c.want {
				o.Errorf("%s: %+v, %v", name, list, err)
			}
			byCall, err := o.calls.RecordingsOfCalls(c.ctx, []uuid.UUID{r.CallID})
			if err != nil || len(byCall[r.CallID]) != c.want {
				o.Errorf("%s: %+v, %v", name, byCall, err)
			}
		}
		if row := o.reread(r); row.Status != recording.StatusReady || o.kept(r) == nil {
			o.Errorf("%+v", row)
		}
	})
}

func TestRecordingsAreListed(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		first, second, third := o.ready(), o.ready(), o.recorded()
		for name, c := range map[string]struct {
			f    RecordingFilter
			want []*comms.Recording
		}{
			"all, newest first": {RecordingFilter{}, []*comms.Recording{third, second, first}},
			"calls":             {RecordingFilter{CallIDs: []uuid.UUID{first.CallID, third.CallID}}, []*comms.Recording{third, first}},
			"number":            {RecordingFilter{NumberIDs: []uuid.UUID{o.number.ID}}, []*comms.Recording{third, second, first}},
			"another number":    {RecordingFilter{NumberIDs: []uuid.UUID{uuid.New()}}, nil},
			"status":            {RecordingFilter{Status: []recording.Status{recording.StatusReady}}, []*comms.Recording{second, first}},
			"since":             {RecordingFilter{Since: second.CreatedAt}, []*comms.Recording{third, second}},
			"until":             {RecordingFilter{Until: second.CreatedAt}, []*comms.Recording{first}},
		} {
			list, err := o.calls.Recordings(o.ctx, c.f, comms.Page{})
			n, failed := o.calls.CountRecordings(o.ctx, c.f)
			if err != nil || failed != nil || len(list.Items) != len(c.want) || n != len(c.want) {
				o.Errorf("%s: %d of %d, %v, %v", name, len(list.Items), n, err, failed)
				continue
			}
			for i, r := range list.Items {
				if r.ID != c.want[i].ID {
					o.Errorf("%s: another stands at %d", name, i)
				}
			}
		}
	})
}

func TestARecordingIsDeletedOnce(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		r, running := o.ready(), o.recorded()
		for range 2 {
			gone, err := o.calls.DeleteRecording(o.ctx, r.ID)
			if err != nil || gone.Status != recording.StatusDeleted || o.kept(r) != nil {
				o.Errorf("%+v, %v", gone, err)
			}
		}
		_, err := o.calls.DeleteRecording(o.ctx, running.ID)
		o.is("one that runs", err, "CONFLICT id")
		_, err = o.calls.DeleteRecording(o.ctx, uuid.New())
		o.is("none", err, "NOT_FOUND id")
		if got := o.told("recording"); got != "started ready started deleted" {
			o.Errorf("told: %s", got)
		}
	})
}

func TestRecordingsGoWithTheirNumber(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		r, running, gone := o.ready(), o.recorded(), o.ready()
		file := o.write(running, second, 0)
		if _, err := o.calls.DeleteRecording(o.ctx, gone.ID); err != nil {
			o.Fatal(err)
		}
		if _, err := o.svc.DeleteNumber(o.ctx, o.number.ID); err != nil {
			o.Fatal(err)
		}
		if n, err := o.store.Read().Recording.Query().Count(o.Context()); n != 0 || err != nil || o.kept(r) != nil {
			o.Errorf("%d rows, %v, kept %d bytes", n, err, len(o.kept(r)))
		}
		// One that is being written goes when its writer is done with it.
		if err := o.calls.collectRecordings(o.Context()); err != nil || !there(file) {
			o.Errorf("%v, the file is there: %v", err, there(file))
		}
		o.ended(running, Recorded{File: file})
		if there(file) || o.kept(running) != nil {
			o.Error("its file is still there")
		}
		if got := o.told("recording"); got != "started ready started started ready deleted deleted deleted" {
			o.Errorf("told: %s", got)
		}
	})
}

// Rows that went without their verb, and files of a process that died over a deletion.
func TestFilesWithoutRowsAreCollected(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		stay, lost, unkept, running := o.ready(), o.ready(), o.recorded(), o.recorded()
		strange := o.folder + "/notes.txt"
		if err := os.WriteFile(strange, []byte("mine"), 0o600); err != nil {
			o.Fatal(err)
		}
		o.write(unkept, second, 0)
		o.write(running, second, 0)
		err := o.store.Change(o.Context(), func(ctx context.Context, tx *ent.Client) error {
			_, err := tx.Call.Delete().Where(call.IDIn(lost.CallID, unkept.CallID)).Exec(ctx)
			return err
		}, nil)
		if err != nil {
			o.Fatal(err)
		}
		o.restart()
		alive := o.recorded()
		o.write(alive, second, 0)
		if err := o.calls.collectRecordings(o.Context()); err != nil {
			o.Fatal(err)
		}
		if o.kept(lost) != nil || there(o.calls.recordingFile(unkept.ID)) {
			o.Error("a file that no row asks for is still there")
		}
		if o.kept(stay) == nil || !there(o.calls.recordingFile(running.ID)) || !there(o.calls.recordingFile(alive.ID)) || !there(strange) {
			o.Error("a file that is wanted was removed")
		}
	})
}

func TestOldRecordingsAreRemoved(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		old, running := o.ready(), o.recorded()
		for _, step := range []struct {
			keep, later time.Duration
			gone        bool
		}{
			{-1, 1000 * 24 * time.Hour, false}, {0, 89 * 24 * time.Hour, false}, {time.Hour, 59 * time.Minute, false},
			{time.Hour, 2 * time.Hour, true}, {time.Hour, 3 * time.Hour, true},
		} {
			o.calls.recordings.retention = step.keep
			if err := o.calls.retireRecordings(o.Context(), clock.Now().Add(step.later)); err != nil {
				o.Fatal(err)
			}
			if gone := o.reread(old).Status == recording.StatusDeleted; gone != step.gone || (o.kept(old) == nil) != gone {
				o.Errorf("%+v: gone %v, %d bytes", step, gone, len(o.kept(old)))
			}
		}
		if o.reread(running).Status != recording.StatusRecording {
			o.Error("one that runs was removed")
		}
		if got := o.told("recording"); got != "started ready started deleted" {
			o.Errorf("told: %s", got)
		}
	})
}

// The default of 90 days, and more of them than one reading takes.
func TestManyOldRecordings(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		r := o.ready()
		err := o.store.Change(o.Context(), func(ctx context.Context, tx *ent.Client) error {
			add := make([]*ent.RecordingCreate, 450)
			for i := range add {
				add[i] = tx.Recording.Create().SetAccountID(o.account).SetCallID(r.CallID).SetStatus("ready").SetSize(1).SetReadyAt(1).
					SetCreatedAt(r.CreatedAt.Add(-time.Duration(i/3) * time.Second))
			}
			return tx.Recording.CreateBulk(add...).Exec(ctx)
		}, nil)
		if err != nil {
			o.Fatal(err)
		}
		if err := o.calls.retireRecordings(o.Context(), clock.Now().Add(91*24*time.Hour)); err != nil {
			o.Fatal(err)
		}
		left, err := o.store.Read().Recording.Query().Where(recording.StatusNEQ(recording.StatusDeleted)).Count(o.Context())
		if err != nil || left != 0 {
			o.Errorf("%d are left, %v", left, err)
		}
	})
}
