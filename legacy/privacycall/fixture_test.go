package privacycall

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/ent"
	"switchboard/internal/db"
	"switchboard/internal/house"
	"switchboard/internal/httpd"
)

const (
	bindPath  = "/20171220/bind/callEvent/v1"
	voicePath = "/20171220/bind/callEvent/voice/v1"
)

// world is a server of this API alone, behind what stands around every door, over real rules and a real database.
type world struct {
	*testing.T
	url    string
	svc    *comms.Service
	calls  *call.Service
	store  *db.Store
	log    *safeLog
	dialed chan *call.Verdict // what the engine was asked to dial

	rides, theirs signer
	began         time.Time
	signed        atomic.Int64 // requests so far: each has a time stamp of its own, from the time before it all began
}

// signer is an application's credentials.
type signer struct{ token, app string }

// safeLog is a log that several goroutines write.
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

// engine notes what it is asked to dial, and dials nobody.
type engine chan *call.Verdict

func (e engine) Dial(_ context.Context, v *call.Verdict) error { e <- v; return nil }

func (engine) Order(context.Context, uuid.UUID, call.Order) error { return nil }

func newWorld(t *testing.T, store *db.Store, o Options) *world {
	t.Helper()
	w := &world{T: t, store: store, log: &safeLog{}, dialed: make(chan *call.Verdict, 100), began: time.Now().UTC()}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if w.svc, err = comms.New(comms.Options{Store: store, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4, Log: log}); err != nil {
		t.Fatal(err)
	}
	w.calls = call.New(w.svc, call.Options{})
	w.calls.Attach(engine(w.dialed))
	o.Calls, o.Log = w.calls, log
	mux := http.NewServeMux()
	Mount(mux, o)
	around := httpd.Around{Log: log, Metrics: httpd.NewMetrics(), Sockets: httpd.NewSockets()}
	server := httptest.NewServer(around.Wrap(mux))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.provision()
	return w
}

func onBoth(t *testing.T, fn func(w *world)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) { fn(newWorld(t, open(t), Options{})) })
}

// provision makes the account of the document's example, with telephones that stand for its parties, and another one.
func (w *world) provision() {
	w.Helper()
	pool := []string{"+8617118230000", "+862151860000"}
	parties := []string{"+8618326000000", "+8618516000000", "+8618326000001", "+8618516000001"}
	got, err := w.svc.Provision(w.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{
		{Email: "rides@example.com", Password: "correct horse", Plan: "business",
			Numbers:      []comms.ProvisionNumber{{Number: pool[0], Concurrency: new(10)}, {Number: pool[1], Concurrency: new(10)}, {Number: "+8617118230009"}},
			Applications: []comms.ProvisionApplication{{Name: "rides", Pool: pool, Record: new(true)}},
			SipNumbers:   []comms.ProvisionSipNumber{{Number: "1001", Rings: parties}}},
		{Email: "couriers@example.com", Password: "correct horse", Numbers: []comms.ProvisionNumber{{Number: "+8617118239000"}},
			Applications: []comms.ProvisionApplication{{Name: "couriers", Pool: []string{"+8617118239000"}}}},
	}})
	if err != nil {
		w.Fatal(err)
	}
	for i, to := range []*signer{&w.rides, &w.theirs} {
		app := got.Accounts[i].Applications[0]
		*to = signer{app.AccountToken, app.AppID}
	}
}

// change writes past the rules.
func (w *world) change(fn func(ctx context.Context, tx *ent.Client) error) {
	w.Helper()
	if err := w.store.Change(w.Context(), fn, nil); err != nil {
		w.Fatal(err)
	}
}

// stamp is a time stamp that no request had before; in UTC.
func (w *world) stamp() string {
	return w.began.Add(-time.Duration(w.signed.Add(1)) * time.Second).Format(stampLayout)
}

// credentials are the signature and the header for what is signed.
func credentials(text string) (sig, authorization string) {
	sum := md5.Sum([]byte(text))
	return strings.ToUpper(hex.EncodeToString(sum[:])), base64.StdEncoding.EncodeToString([]byte(text))
}

// reply is an answer, with its body as it came.
type reply struct {
	*http.Response
	body string
	answer
}

// do sends a request. Headers are names and values in turn.
func (w *world) do(method, path, body string, headers ...string) reply {
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
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	out := reply{Response: res, body: string(b)}
	if err := json.Unmarshal(b, &out.answer); err != nil && method != http.MethodHead {
		w.Errorf("%s %s: %q is no answer of this API", method, path, b)
	}
	return out
}

// ask sends a well signed request of the first account, whose body holds these members too.
func (w *world) ask(path string, members map[string]any) reply {
	w.Helper()
	return w.askAs(w.rides, path, members)
}

func (w *world) askAs(s signer, path string, members map[string]any) reply {
	w.Helper()
	all := map[string]any{"ACCOUNTSID": s.token, "APPID": s.app}
	for name, v := range members {
		if all[name] = v; v == nil {
			delete(all, name)
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		w.Fatal(err)
	}
	return w.raw(s, path, string(b))
}

// raw sends a body as it is, well signed.
func (w *world) raw(s signer, path, body string) reply {
	w.Helper()
	sig, authorization := credentials(s.token + ":" + s.app + ":" + w.stamp())
	return w.do("POST", path+"?sig="+sig, body, "Authorization", authorization)
}
