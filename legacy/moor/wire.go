package moor

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchboard/comms"
	"switchboard/internal/clock"
)

// answer is every answer of this API. The order of all members is the document's.
type answer struct {
	Success     bool   `json:"success"`
	Code        string `json:"code"`
	Message     string `json:"message"`
	Data        any    `json:"data,omitempty"`
	RequestInfo info   `json:"requestInfo"`
}

// info tells the client what it asked, and how long that took.
type info struct {
	RequestID string   `json:"requestId"`
	URL       string   `json:"url"`
	ProxyURL  string   `json:"proxyUrl"`
	Body      struct{} `json:"body"`
	Headers   headers  `json:"headers"`
	Span      span     `json:"span"`
}

// span is when the request came in, was passed on, had its answer, and was over; in milliseconds.
type span struct {
	Start      int64  `json:"requestStartTime"`
	ProxyStart int64  `json:"proxyStartTime"`
	ProxyEnd   int64  `json:"proxyEndTime"`
	End        int64  `json:"reqEndTime"`
	Biz        string `json:"bizSpan"` // proxyEndTime - proxyStartTime
	Latency    string `json:"latency"` // the rest
}

// took is the span of a request that ends now. What was not let through took no time there.
func (q *request) took(now time.Time) span {
	passed, answered := q.passed, q.answered
	if passed.IsZero() {
		passed, answered = now, now
	}
	s := span{Start: q.began.UnixMilli(), ProxyStart: passed.UnixMilli(), ProxyEnd: answered.UnixMilli(), End: now.UnixMilli()}
	biz := s.ProxyEnd - s.ProxyStart
	s.Biz, s.Latency = fmt.Sprintf("%dms", biz), fmt.Sprintf("%dms", s.End-s.Start-biz)
	return s
}

// headers are names and values in the order in which they are shown.
type headers [][2]string

// MarshalJSON implements json.Marshaler.
func (h headers) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, pair := range h {
		if i > 0 {
			b = append(b, ',')
		}
		for k, text := range pair {
			quoted, err := encode(text)
			if err != nil {
				return nil, err
			}
			if b = append(b, quoted...); k == 0 {
				b = append(b, ':')
			}
		}
	}
	return append(b, '}'), nil
}

// shown are the request's headers as the envelope has them: in lower case, by their names, without credentials, and then the two that the
// platform adds.
func (q *request) shown() headers {
	out := headers{{"host", q.Host}}
	if len(q.TransferEncoding) > 0 {
		out = append(out, [2]string{"transfer-encoding", strings.Join(q.TransferEncoding, ", ")})
	}
	for name, values := range q.Header {
		name = strings.ToLower(name)
		if text := strings.Join(values, ", "); slices.Contains(proofs, name) || !credential(name) && !q.holdsCredential(text) {
			out = append(out, [2]string{name, text})
		}
	}
	slices.SortFunc(out, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return append(out, [2]string{"traceId", q.id}, [2]string{"accountId", q.Header.Get(headKey)})
}

// The contract: m7-sign is echoed, no other credential ever is. Rather one header too many is left out than one credential is told to whoever
// reads the answers of this API: they are logged by those who ask.

// proofs are the headers of this API itself (documented: they are echoed).
var proofs = []string{headKey, headTime, headNonce, headSign}

// harmless are headers that look like credentials by their names, and are none.
var harmless = []string{"postman-token", "idempotency-key"}

// credentialWords are what names of headers with credentials are made of, between dashes where another word could hold them.
var credentialWords = []string{"authori", "authentic", "auth-", "-auth", "cookie", "token", "secret", "password", "passwd", "passphrase", "-pass-", "-pwd-",
	"-pin-", "-otp-", "-sid-", "credential", "-key-", "apikey", "session", "signature", "-sign-", "jwt", "bearer"}

// credential tells whether a header may hold one, by its name.
func credential(name string) bool {
	worded := "-" + strings.ReplaceAll(name, "_", "-") + "-"
	return !slices.Contains(harmless, name) && slices.ContainsFunc(credentialWords, func(word string) bool { return strings.Contains(worded, word) })
}

// credentialMarks are what credentials begin with: this server's own, and those of the Authorization header (RFC 7617, RFC 6750).
var credentialMarks = []string{"occ_", "swb_", "swo_", "eyJ", "basic", "bearer", "digest"}

// holdsCredential tells whether a header holds one in a place where nobody looks for it: this server's own, or the secret that the request
// ought to be signed with.
func (q *request) holdsCredential(value string) bool {
	if len(q.secret) > 0 && strings.Contains(value, string(q.secret)) {
		return true
	}
	for word := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(" \t,;:=/@\"'()<>&?", r) }) {
		if slices.ContainsFunc(credentialMarks, func(mark string) bool {
			return len(word) >= len(mark) && strings.EqualFold(word[:len(mark)], mark)
		}) {
			return true
		}
	}
	return false
}

func (d *door) fail(w http.ResponseWriter, q *request, err error) {
	f := failureOf(err)
	if f.status == http.StatusInternalServerError {
		d.Log.ErrorContext(q.Context(), "moor", "error", err)
	}
	if f.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	if e := comms.AsError(err); e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	d.send(w, q, f.status, &answer{Code: strconv.Itoa(f.status), Message: f.text})
}

func (d *door) send(w http.ResponseWriter, q *request, status int, out *answer) {
	out.RequestInfo = info{RequestID: q.id, URL: q.URL.Path, ProxyURL: d.address(q), Headers: q.shown(), Span: q.took(time.Now())}
	b, err := encode(out)
	if err != nil {
		d.Log.ErrorContext(q.Context(), "moor: encode an answer", "error", err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json;charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil {
		d.Log.DebugContext(q.Context(), "moor: the client did not take its answer", "error", err)
	}
}

// encode writes JSON with < > & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// newID is 32 hexadecimal digits.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

// china is the zone of the API's times, which name none.
var china = time.FixedZone("CST", 8*60*60)

// timeOf writes a time as the document does (YYYY-MM-DD HH:mm:ss).
func timeOf(at clock.Micros) string { return at.Time().In(china).Format(time.DateTime) }
