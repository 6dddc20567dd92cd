package mail

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/ent"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// world is the rules of letters over a real database, and a post office that does as it is told.
type world struct {
	*testing.T
	store *db.Store
	svc   *comms.Service
	mails *Service
	post  *post
	log   *safeLog
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

// post is a Sender: answer decides about each try.
type post struct {
	mu     sync.Mutex
	answer func(ctx context.Context, e Envelope) error
	sent   []Envelope
	tries  int
	news   chan struct{} // something was tried
}

func (p *post) Send(ctx context.Context, e Envelope) error {
	p.mu.Lock()
	answer := p.answer
	p.tries++
	p.mu.Unlock()
	var err error
	if answer != nil {
		err = answer(ctx, e)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.sent = append(p.sent, e)
	}
	select {
	case p.news <- struct{}{}:
	default:
	}
	return err
}

func (p *post) says(answer func(ctx context.Context, e Envelope) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *post) all() []Envelope {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Envelope(nil), p.sent...)
}

func quick() Patience {
	return Patience{First: time.Millisecond, Longest: 2 * time.Millisecond, Rest: time.Millisecond}
}

func newWorld(t *testing.T, store *db.Store) *world {
	t.Helper()
	w := &world{T: t, store: store, post: &post{news: make(chan struct{}, 1)}, log: &safeLog{}}
	w.svc, w.mails = w.start("one", quick())
	return w
}

// start is another process on the same database.
func (w *world) start(node string, p Patience) (*comms.Service, *Service) {
	w.Helper()
	svc, err := comms.New(comms.Options{Store: w.store, Secret: bytes.Repeat([]byte{7}, 32), Node: node, HashCost: 4,
		Log: slog.New(slog.NewTextHandler(w.log, nil))})
	if err != nil {
		w.Fatal(err)
	}
	return svc, New(svc, Options{Sender: w.post, Patience: p})
}

func onBoth(t *testing.T, fn func(w *world)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) { fn(newWorld(t, open(t))) })
}

// run has letters sent until the test ends, or until stop is called.
func (w *world) run(s *Service) (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	stop = func() { cancel(); <-done }
	w.Cleanup(stop)
	return stop
}

// until waits until ok says so; it is asked whenever something was tried, and often.
func (w *world) until(what string, s *Service, ok func() bool) {
	w.Helper()
	end := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		s.Wake()
		select {
		case <-end:
			w.Fatalf("waited for %s: %s", what, w.log)
		case <-w.post.news:
		case <-tick.C:
		}
	}
}

func (w *world) rows() []*ent.Mail {
	w.Helper()
	rows, err := w.store.Read().Mail.Query().All(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return rows
}

// change writes past the rules: time that has gone by.
func (w *world) change(fn func(ctx context.Context, tx *ent.Client) error) {
	w.Helper()
	if err := w.store.Change(w.Context(), fn, nil); err != nil {
		w.Fatal(err)
	}
}

func (w *world) register(email string) *comms.Account {
	w.Helper()
	made, err := w.mails.RegisterByMail(w.Context(), RegisterByMail{Email: email, Password: "secretPassword", Base: "https://rec.example"})
	if err != nil {
		w.Fatal(err)
	}
	return made.Account
}

var linked = regexp.MustCompile(`\nhttps://rec\.example/auth/activate/([A-Za-z0-9_-]{43})\n`)

func tokenIn(text string) string {
	if m := linked.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// refusal is what an error says, in two words.
func refusal(err error) string {
	if err == nil {
		return ""
	}
	e := comms.AsError(err)
	return strings.TrimSpace(e.Code.String() + " " + string(e.Reason))
}

func (w *world) wantRefusal(err error, want string) {
	w.Helper()
	if got := refusal(err); got != want {
		w.Errorf("%v is %q, want %q", err, got, want)
	}
}

var errNo = errors.New("no")
