package moor

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/comms/pool"
	"switchboard/ent"
	number_ "switchboard/ent/number"
	"switchboard/ent/sipnumber"
	"switchboard/internal/clock"
	"switchboard/internal/db"
	"switchboard/internal/house"
	"switchboard/internal/httpd"
)

const (
	numberPath = "/openapi/v1/call/query/number"
	groupPath  = "/openapi/v1/call/query/group"
)

// world is a server of this API alone, behind what stands around every door, over real rules and a real database.
type world struct {
	*testing.T
	url   string
	svc   *comms.Service
	calls *call.Service
	pools *pool.Service
	store *db.Store
	log   *safeLog

	rides, theirs app
	nonces        atomic.Int64
}

// app is an application's credentials.
type app struct{ key, secret string }

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

func onBoth(t *testing.T, fn func(w *world)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		w := &world{T: t, store: open(t), log: &safeLog{}}
		w.start(Options{})
		w.furnish()
		fn(w)
	})
}

// start is a process over the store.
func (w *world) start(o Options) {
	w.Helper()
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	w.svc, err = comms.New(comms.Options{Store: w.store, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4, Log: log})
	w.must(err)
	w.pools = pool.New(w.svc, pool.Options{})
	w.calls = call.New(w.svc, call.Options{Groups: w.pools})
	o.Calls, o.Pools, o.Log = w.calls, w.pools, log
	o.SIP = func(host string, secure bool) string {
		if secure {
			return "sip.example.com:5061"
		}
		return "sip.example.com:5060"
	}
	mux := http.NewServeMux()
	Mount(mux, o)
	around := httpd.Around{Log: log, Metrics: httpd.NewMetrics(), Sockets: httpd.NewSockets()}
	server := httptest.NewServer(around.Wrap(mux))
	w.Cleanup(server.Close)
	w.url = server.URL
}

// furnish makes an account like the one of the document's example, and another one. What is listed by when it was made is made one after the other.
func (w *world) furnish() {
	w.Helper()
	number := func(n comms.ProvisionNumber) comms.ProvisionAccount {
		return comms.ProvisionAccount{Email: "rides@example.com", Password: "correct horse", Plan: "business", Numbers: []comms.ProvisionNumber{n}}
	}
	first := number(comms.ProvisionNumber{Number: "+862151860000", Alias: new("111"), Line: new("R00002"), Source: "trunk"})
	first.Applications = []comms.ProvisionApplication{{Name: "rides"}}
	first.Groups = []comms.ProvisionGroup{{Name: "555", Numbers: []string{"+862151860000"}}}
	first.SipNumbers = []comms.ProvisionSipNumber{{Number: "2000", Password: "123456Aa"}}
	third := number(comms.ProvisionNumber{Number: "+862151860001", Ability: "service", Source: "trunk", Concurrency: new(2)})
	third.Groups = []comms.ProvisionGroup{{Name: "888", Numbers: []string{"+862151860000"}}}
	third.SipNumbers = []comms.ProvisionSipNumber{{Number: "2001", Password: "pa55-word-2001"}}
	for i, a := range []comms.ProvisionAccount{first, number(comms.ProvisionNumber{Number: "+8617118230001", Ability: "display"}), third,
		{Email: "couriers@example.com", Password: "correct horse", Applications: []comms.ProvisionApplication{{Name: "couriers"}}}} {
		there, err := w.svc.Provision(w.Context(), comms.Provision{Accounts: []comms.ProvisionAccount{a}})
		w.must(err)
		for _, p := range there.Accounts[0].Applications {
			*[]*app{&w.rides, nil, nil, &w.theirs}[i] = app{p.AppKey, p.SecretKey}
		}
	}
	w.must(w.store.Change(w.Context(), func(ctx context.Context, tx *ent.Client) error {
		return tx.Number.Update().Where(number_.Number("+8617118230001")).SetDisabled(true).Exec(ctx)
	}, nil))
}

// register registers the telephone 2000 as its REGISTER would.
func (w *world) register(in call.SaveContact) {
	w.Helper()
	id, err := w.store.Read().SipNumber.Query().Where(sipnumber.Number("2000")).OnlyID(w.Context())
	w.must(err)
	in.Phone, in.CallID, in.CSeq = id, "call", w.nonces.Add(1)
	w.must(w.calls.SaveContact(w.Context(), in))
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// proof is what a request proves itself with.
type proof struct{ key, stamp, nonce, sign string }

// proves signs as the document says.
func (a app) proves(stamp, nonce string) proof {
	return proof{a.key, stamp, nonce, base64.StdEncoding.EncodeToString(signature([]byte(a.secret), a.key+stamp+nonce))}
}

func (p proof) headers() []string {
	return []string{"m7-appkey", p.key, "m7-timestamp", p.stamp, "m7-nonce", p.nonce, "m7-sign", p.sign}
}

// fresh is a proof that was not used before.
func (w *world) fresh(a app) proof {
	return a.proves(seconds(0), strconv.FormatInt(100_000+w.nonces.Add(1), 10))
}

func seconds(off time.Duration) string { return strconv.FormatInt(time.Now().Add(off).Unix(), 10) }
func millis(off time.Duration) string  { return strconv.FormatInt(time.Now().Add(off).UnixMilli(), 10) }

// reply is an answer, with its body as it came.
type reply struct {
	*http.Response
	body    string
	Success *bool
	Code    string
	Message string
	Data    json.RawMessage
	Info    struct {
		RequestID string
		URL       string
		ProxyURL  string
		Body      json.RawMessage
		Headers   map[string]string
		Span      span
	} `json:"requestInfo"`
}

// ask sends a well signed request.
func (w *world) ask(a app, path string, headers ...string) reply {
	w.Helper()
	return w.do("POST", path, "", append(w.fresh(a).headers(), headers...)...)
}

// do sends a request. Headers are names and values in turn.
func (w *world) do(method, path, body string, headers ...string) reply {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(body))
	w.must(err)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	w.must(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	w.must(err)
	out := reply{Response: res, body: string(b)}
	if err := json.Unmarshal(b, &out); err != nil && method != http.MethodHead {
		w.Errorf("%s %s: %q is no answer of this API", method, path, b)
	}
	return out
}

var later = clock.Now().Add(time.Hour)
