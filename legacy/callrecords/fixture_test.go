package callrecords

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/carrier"
	"switchboard/comms/mail"
	"switchboard/comms/record"
	"switchboard/internal/clock"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
	"switchboard/internal/httpd"
)

// world is a server of this API alone, behind what stands around every door, over real rules and a real database. Outside our walls are a post
// office that keeps the letters and a carrier that says what it is told.
type world struct {
	*testing.T
	url     string
	svc     *comms.Service
	records *record.Service
	store   *db.Store
	log     *safeLog
	letters chan mail.Envelope
	ovh     *ovh
}

type safeLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type office chan mail.Envelope

func (o office) Send(_ context.Context, e mail.Envelope) error {
	o <- e
	return nil
}

// ovh is a carrier whose customer consents when the test says so.
type ovh struct {
	mu        sync.Mutex
	back      string
	consented bool
}

func (o *ovh) Ask(_ context.Context, back string) (carrier.Asked, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.back = back
	return carrier.Asked{Key: "consumer key", Page: "https://eu.api.ovh.com/auth/?credentialToken=abcdefgklmnop123456789"}, nil
}

func (o *ovh) Open(context.Context, string) (*carrier.Customer, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.consented {
		return nil, &carrier.Trouble{Problem: carrier.ProblemPending, Err: errors.New("pending validation")}
	}
	return &carrier.Customer{Identity: "ab12345-ovh", Lines: o}, nil
}

func (o *ovh) Lines(context.Context) ([]carrier.Line, error) { return nil, nil }

// consent has the customer consent, and gives the path of the address to which he is sent back.
func (o *ovh) consent() (path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.consented = true
	return o.back[strings.Index(o.back, "/ovh/"):]
}

// settings are what a test wants otherwise.
type settings struct {
	publicURL string
	throttle  comms.Throttle
	noOVH     bool
}

func newWorld(t *testing.T, store *db.Store, with settings) *world {
	t.Helper()
	w := &world{T: t, store: store, log: &safeLog{}, letters: make(chan mail.Envelope, 100), ovh: &ovh{}}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	contents, err := content.Open(content.Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w.svc, err = comms.New(comms.Options{Store: store, Contents: contents, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4,
		Log: log, Throttle: with.throttle})
	if err != nil {
		t.Fatal(err)
	}
	w.records = record.New(w.svc, record.Options{Contents: contents})
	mails := mail.New(w.svc, mail.Options{Sender: office(w.letters)})
	carriers := map[string]carrier.Carrier{"ovh": w.ovh}
	if with.noOVH {
		carriers = nil
	}
	mux := http.NewServeMux()
	Mount(mux, w.svc, Options{Mails: mails, Records: w.records, Carriers: carrier.New(w.svc, w.records, carrier.Options{Carriers: carriers}),
		PublicURL: with.publicURL, Log: log})
	server := httptest.NewServer(httpd.Around{Log: log, Metrics: httpd.NewMetrics(), Sockets: httpd.NewSockets()}.Wrap(mux))
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var work sync.WaitGroup
	work.Go(func() { mails.Run(ctx) })
	t.Cleanup(func() { server.Close(); stop(); work.Wait() })
	w.url = server.URL
	return w
}

func onBoth(t *testing.T, fn func(w *world)) { onBothWith(t, settings{}, fn) }

func onBothWith(t *testing.T, with settings, fn func(w *world)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) { fn(newWorld(t, open(t), with)) })
}

// answer is an answer, with its body as it came.
type answer struct {
	*http.Response
	body string
}

// do sends a request. Headers are names and values in turn.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirects
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer{res, string(b)}
}

// want is do for an answer that must have a status, decoded into out.
func (w *world) want(status int, out any, method, path, body string, headers ...string) {
	w.Helper()
	got := w.do(method, path, body, headers...)
	if got.StatusCode != status {
		w.Fatalf("%s %s: %d %s, want %d", method, path, got.StatusCode, got.body, status)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal([]byte(got.body), out); err != nil {
		w.Fatalf("%s %s: %v in %q", method, path, err, got.body)
	}
}

// refuses tells whether the answer is a refusal as this API writes it.
func (a answer) refuses(status int) bool {
	var b map[string]any
	return a.StatusCode == status && a.Header.Get("Content-Type") == "application/json" && json.Unmarshal([]byte(a.body), &b) == nil &&
		len(b) == 2 && b["statusCode"] == float64(status) && b["message"] != nil && b["message"] != ""
}

var activation = regexp.MustCompile(`(https?://[^\s/]+)(/auth/activate/\S+)`)

// letter is the next letter's link: the server's address, and the path.
func (w *world) letter() (base, path string) {
	w.Helper()
	select {
	case e := <-w.letters:
		m := activation.FindStringSubmatch(e.Text)
		if m == nil {
			w.Fatal("no link in ", e.Text)
		}
		return m[1], m[2]
	case <-time.After(20 * time.Second):
		w.Fatal("no letter came")
		return "", ""
	}
}

// customer is an active account, with its two credentials.
type customer struct {
	id            uuid.UUID
	session, read []string // headers
}

func (w *world) join(email string) *customer {
	w.Helper()
	credentials := `{"user":"` + email + `","password":"secretPassword"}`
	w.want(http.StatusCreated, nil, "POST", "/auth/register", credentials)
	_, path := w.letter()
	if got := w.do("GET", path, ""); got.StatusCode != http.StatusOK {
		w.Fatalf("%d %s", got.StatusCode, got.body)
	}
	var login loginBody
	w.want(http.StatusOK, &login, "POST", "/auth/login", credentials)
	c := &customer{session: []string{"Authorization", "Bearer " + login.AccessToken}}
	var token newTokenBody
	w.want(http.StatusOK, &token, "POST", "/account/apitoken", `{"comment":"dev key","ttl":36000}`, c.session...)
	c.read = []string{"Authorization", "Bearer " + token.Value}
	a, err := w.svc.Authenticate(w.Context(), comms.Presented{Bearer: login.AccessToken})
	if err != nil {
		w.Fatal(err)
	}
	c.id = a.AccountID
	return c
}

// begun is when the first record of a test began; each that follows began a minute later.
var begun = clock.From(time.Date(2021, 6, 29, 21, 46, 32, 6_000_000, time.UTC))

// add stores records as an import does.
func (w *world) add(c *customer, rows ...record.NewRecord) {
	w.Helper()
	for i := range rows {
		rows[i].ForeignID = "import:" + string(rune('a'+i))
		rows[i].StartedAt = begun.Add(time.Duration(i) * time.Minute)
	}
	w.put(c, rows...)
}

// put imports records as they are.
func (w *world) put(c *customer, rows ...record.NewRecord) {
	w.Helper()
	in := w.svc.Inside()
	err := in.Change(w.Context(), func(ctx context.Context, change *comms.Change) error {
		_, err := w.records.Add(ctx, change, c.id, uuid.New(), rows)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
}
