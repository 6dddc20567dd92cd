package httpd

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"switchboard/comms"
	"switchboard/comms/record"
)

// RecordList is where the call records of a CSV come from; record.Service is one.
type RecordList interface {
	EachRecord(ctx context.Context, q record.Search, fn func([]*record.Row) error) error
	OpenCSVLink(ctx context.Context, query url.Values) (context.Context, record.Search, error)
}

// Callers tells who shows a credential; comms.Service does.
type Callers interface {
	Authenticate(ctx context.Context, p comms.Presented) (*comms.Actor, error)
}

// RecordsCSV answers GET /records.csv: all call records that a search finds, newest first, as RFC 4180 has it. It asks as GET /records does
// (limit and offset mean nothing here: it is the whole), for who shows a credential that may read records, or a link that is still good.
//
// The records come some at a time and are sent as they come, so a million of them take no more memory than a page, and no read of the
// database waits for a slow client. What goes wrong after the first byte breaks the connection off: a CSV that merely ended would look whole.
type RecordsCSV struct {
	Records RecordList
	Callers Callers
	URL     string // what links to recordings begin with; empty: the address that the client used
	Log     *slog.Logger
}

// recordsStatus is the one place where a refusal becomes a number of this door.
var recordsStatus = map[comms.Code]int{
	comms.Invalid:         http.StatusBadRequest,
	comms.Unauthenticated: http.StatusUnauthorized,
	comms.Forbidden:       http.StatusForbidden,
	comms.NotFound:        http.StatusNotFound,
	comms.Conflict:        http.StatusConflict,
	comms.Limited:         http.StatusTooManyRequests,
	comms.Unavailable:     http.StatusServiceUnavailable,
	comms.Internal:        http.StatusInternalServerError,
}

// ServeHTTP implements http.Handler.
func (d RecordsCSV) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, search, err := d.asked(r)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	out := &recordsFile{to: w, url: d.linksOf(r)}
	if r.Method == http.MethodHead {
		out.head()
		return
	}
	if err = d.Records.EachRecord(ctx, search, out.write); err == nil {
		err = out.end()
	}
	switch {
	case err == nil:
	case out.csv == nil:
		d.refuse(w, r, err)
	default:
		if r.Context().Err() == nil {
			d.Log.WarnContext(r.Context(), "a CSV of call records broke off", "error", err)
		}
		panic(http.ErrAbortHandler)
	}
}

// mayAsk are the names that an address may have: one that is misspelt must not be taken for no filter.
var mayAsk = map[string]bool{"number": true, "not": true, "direction": true, "durationmin": true, "durationmax": true, "from": true, "to": true,
	"limit": true, "offset": true, "format": true, "account": true, "expires": true, "signature": true}

// asked is what is searched for, and for whom.
func (d RecordsCSV) asked(r *http.Request) (context.Context, record.Search, error) {
	query := r.URL.Query()
	for name := range query {
		if !mayAsk[name] {
			return nil, record.Search{}, &comms.Error{Code: comms.Invalid, Field: name, Text: "nothing is asked by that name: " + strconv.Quote(name)}
		}
	}
	if format := query.Get("format"); format != "" && !strings.EqualFold(format, "csv") {
		return nil, record.Search{}, &comms.Error{Code: comms.Invalid, Field: "format", Text: "the format is csv"}
	}
	if query.Has("signature") {
		return d.Records.OpenCSVLink(r.Context(), query)
	}
	p := comms.Presented{ApiKey: r.Header.Get("X-API-Key")}
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		p.Bearer = strings.TrimSpace(token)
	}
	a, err := d.Callers.Authenticate(r.Context(), p)
	if err != nil {
		return nil, record.Search{}, err
	}
	if a == nil {
		return nil, record.Search{}, &comms.Error{Code: comms.Unauthenticated,
			Text: "authentication is required: Authorization: Bearer <token>, X-API-Key, or a link"}
	}
	search, err := record.SearchOf(query)
	return comms.WithActor(r.Context(), a), search, err
}

func (d RecordsCSV) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e := comms.AsError(err)
	status := recordsStatus[e.Code]
	if e.Reason == comms.ReasonLinkExpired {
		status = http.StatusGone
	}
	if e.Code == comms.Internal || status == 0 {
		d.Log.ErrorContext(r.Context(), "records", "error", e)
		status = http.StatusInternalServerError
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="switchboard"`)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(e.RetryAfter.Seconds()))))
	}
	Problem(w, status, e.Text)
}

// linksOf is what links begin with.
func (d RecordsCSV) linksOf(r *http.Request) string {
	if d.URL != "" {
		return strings.TrimSuffix(d.URL, "/")
	}
	if base := forwardedURL(r); base != "" {
		return base
	}
	return (&url.URL{Scheme: "http", Host: r.Host}).String()
}

// recordsFile is a CSV while it is written. It begins with the first records, so that a refusal can come before.
type recordsFile struct {
	to  http.ResponseWriter
	url string
	csv *csv.Writer
}

// recordColumns are the words of the first line.
var recordColumns = []string{"id", "started_at", "direction", "way", "calling", "called", "dialed", "duration", "hangup", "recording"}

func (f *recordsFile) head() {
	h := f.to.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present") // RFC 4180, section 3
	h.Set("Content-Disposition", attachment("records.csv"))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, no-store")
}

func (f *recordsFile) begin() error {
	if f.csv != nil {
		return nil
	}
	f.head()
	f.csv = csv.NewWriter(f.to)
	f.csv.UseCRLF = true // RFC 4180, section 2
	return f.csv.Write(recordColumns)
}

func (f *recordsFile) write(rows []*record.Row) error {
	if err := f.begin(); err != nil {
		return err
	}
	line := make([]string, len(recordColumns))
	for _, r := range rows {
		link := ""
		if r.Recording != "" {
			link = f.url + r.Recording
		}
		line = append(line[:0], strconv.FormatInt(r.ID, 10), r.StartedAt.Time().Format("2006-01-02T15:04:05.000Z"), string(r.Direction), string(r.Way),
			numberCell(r.Calling), numberCell(r.Called), numberCell(r.Dialed), strconv.Itoa(r.Duration), textCell(r.Hangup), link)
		if err := f.csv.Write(line); err != nil {
			return fmt.Errorf("write a CSV: %w", err)
		}
	}
	return f.flush()
}

func (f *recordsFile) flush() error {
	f.csv.Flush()
	if err := f.csv.Error(); err != nil {
		return fmt.Errorf("write a CSV: %w", err)
	}
	if err := http.NewResponseController(f.to).Flush(); err != nil {
		return fmt.Errorf("send a CSV: %w", err)
	}
	return nil
}

// end is where nothing may have been found: the first line is there all the same.
func (f *recordsFile) end() error {
	if err := f.begin(); err != nil {
		return err
	}
	return f.flush()
}

// numberCell is a number as the documents write it, 00 in the place of +: a spreadsheet takes what begins with + for a formula.
func numberCell(number string) string {
	if digits, ok := strings.CutPrefix(number, "+"); ok && strings.Trim(digits, "0123456789") == "" {
		return "00" + digits
	}
	return textCell(number)
}

// textCell keeps a spreadsheet from taking for a formula what a carrier wrote (OWASP, CSV Injection).
func textCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// SoundLinks opens what a signed link of an imported recording names; record.Service does.
type SoundLinks interface {
	OpenSoundLink(ctx context.Context, id string, query url.Values) (*comms.Data, error)
}

// Sounds answers GET and HEAD /records/{id}/recording: the recording that a carrier made, to whoever has a link that is still good. It is
// served as our own are (recordings.go), but what kind of sound it is only its first bytes say.
func Sounds(links SoundLinks, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, err := links.OpenSoundLink(r.Context(), r.PathValue("id"), r.URL.Query())
		if err != nil {
			refuseFile(w, r, comms.AsError(err), log)
			return
		}
		defer d.Reader.Close()
		kind, ending, err := soundKind(d.Reader)
		if err != nil {
			refuseFile(w, r, comms.AsError(err), log)
			return
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Disposition", attachment(d.FileName+ending))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		h.Set("Cache-Control", "private, no-store")
		h.Set("ETag", `"`+d.Hash+`"`)
		http.ServeContent(w, r, "", d.At.Time(), d.Reader)
	})
}

// soundKind is the type of a sound and what its file's name ends with; anything else is only bytes.
func soundKind(from io.ReadSeeker) (kind, ending string, err error) {
	var first [512]byte
	n, err := io.ReadFull(from, first[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return "", "", fmt.Errorf("read a recording: %w", err)
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return "", "", fmt.Errorf("read a recording: %w", err)
	}
	switch kind := http.DetectContentType(first[:n]); {
	case kind == "audio/wave":
		return "audio/wav", ".wav", nil
	case kind == "audio/mpeg", n > 1 && first[0] == 0xFF && first[1]&0xE0 == 0xE0: // ID3, or the sync word of a frame
		return "audio/mpeg", ".mp3", nil
	case kind == "application/ogg":
		return "audio/ogg", ".ogg", nil
	}
	return "application/octet-stream", ".bin", nil
}
