package graph

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/carrier"
	"switchboard/comms/mail"
	"switchboard/comms/notice"
	"switchboard/comms/pool"
	"switchboard/comms/record"
	"switchboard/internal/clock"
)

// lines are a carrier's: what is told of the calls of its one customer. What a real one says is tested where it is spoken to
// (providers/ovh).
type lines struct {
	mu    sync.Mutex
	back  string // where the customer is sent when he has consented
	told  []carrier.Call
	fails *carrier.Trouble // whatever is asked for a customer
	mute  *carrier.Trouble // whoever asks for a consent
}

func (l *lines) Ask(_ context.Context, back string) (carrier.Asked, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mute != nil {
		return carrier.Asked{}, l.mute
	}
	l.back = back
	return carrier.Asked{Key: "consumer-key", Page: "https://carrier.example/consent"}, nil
}

func (l *lines) Open(context.Context, string) (*carrier.Customer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails != nil {
		return nil, l.fails
	}
	return &carrier.Customer{Identity: "xx1111-ovh", Lines: l}, nil
}

// Lines is the customer's one line, whose calls are read by their places.
func (l *lines) Lines(context.Context) ([]carrier.Line, error) {
	return []carrier.Line{{Name: "0033100000000", Calls: l}}, nil
}

func (l *lines) Since(_ context.Context, from clock.Micros) (ids []string, err error) {
	for i, c := range l.told {
		if !c.StartedAt.Before(from.Time()) {
			ids = append(ids, strconv.Itoa(i))
		}
	}
	return ids, nil
}

func (l *lines) Call(_ context.Context, id string) (*carrier.Call, error) {
	i, err := strconv.Atoi(id)
	return &l.told[i], err
}

// letters hands on what was sent.
type letters struct{ sent chan mail.Envelope }

func (l *letters) Send(_ context.Context, e mail.Envelope) error {
	l.sent <- e
	return nil
}

// linked is the person's link to the carrier, whose customer has consented; nothing is imported yet.
func (k *kit) linked(p *person) *comms.CarrierLink {
	k.Helper()
	must(k.carriers.LinkCarrier(p.ctx, carrier.LinkCarrier{Carrier: "ovh", Base: "https://sb.example"}))(k)
	_, id, ok := strings.Cut(k.lines.back, "/ovh/check/")
	if !ok {
		k.Fatalf("the customer is sent back to %q", k.lines.back)
	}
	return must(k.carriers.CheckCarrier(k.Context(), id))(k)
}

// tells has the carrier know a call, which began that many minutes ago.
func (k *kit) tells(minutes int, calling, called string) {
	k.lines.mu.Lock()
	defer k.lines.mu.Unlock()
	k.lines.told = append(k.lines.told, carrier.Call{Calling: calling, Called: called, Dialed: called, Way: "incoming",
		StartedAt: time.Now().Add(-time.Duration(minutes) * time.Minute), Duration: 61 * time.Second, Hangup: "Normal call clearing"})
}

// imports brings what the carrier knows.
func (k *kit) imports(p *person) {
	k.Helper()
	err := k.carriers.Import(k.Context(), carrier.ImportNow{Email: p.email})
	if _, trouble := errors.AsType[*carrier.Trouble](err); err != nil && !trouble {
		k.Fatal(err)
	}
}

// sounds keeps a recording with each call that the carrier told of.
func (k *kit) sounds(p *person) {
	k.Helper()
	for _, c := range k.lines.told {
		found, err := k.records.AddSound(k.Context(), p.account.ID, record.AddSound{Calling: c.Calling, Called: c.Called, StartedAt: clock.From(c.StartedAt),
			Within: time.Second, Data: strings.NewReader("RIFF")})
		if err != nil || !found {
			k.Fatal(found, err)
		}
	}
}

// outside gives a person groups of all numbers, calls that a carrier told of, and a channel: for each round some of each.
func (k *kit) outside(p *person, rounds int) {
	k.Helper()
	var ids []uuid.UUID
	for _, n := range p.numbers {
		ids = append(ids, n.ID)
	}
	k.linked(p)
	for i := range rounds {
		k.named++
		must(k.pools.CreateNumberGroup(p.ctx, pool.CreateNumberGroup{Name: fmt.Sprint("group ", k.named), NumberIDs: ids}))(k)
		k.tells(k.named, "0033123456789", fmt.Sprintf("00339876543%02d", i))
	}
	k.imports(p)
	k.sounds(p)
	must(k.svc.SetMatrixID(p.ctx, "@me:example.com"))(k)
}

// everythingOutside does what each kind of event about groups and carriers tells of, once at least.
func (k *kit) everythingOutside(me *person) {
	k.Helper()
	g := must(k.pools.CreateNumberGroup(me.ctx, pool.CreateNumberGroup{Name: "shop"}))(k).Group
	must(k.pools.AddToNumberGroup(me.ctx, g.ID, []uuid.UUID{me.numbers[0].ID}))(k)
	must(k.pools.DeleteNumberGroup(me.ctx, g.ID))(k)
	k.linked(me)
	k.tells(10, "0033123456789", "0033987654321")
	k.imports(me)
	k.lines.fails = &carrier.Trouble{Problem: carrier.ProblemWithdrawn, Err: errors.New("no such key")}
	k.imports(me)
	k.lines.fails = nil
	again := k.linked(me)
	must(k.carriers.UnlinkCarrier(me.ctx, again.ID))(k)
}

type linkSeen struct {
	ID, Carrier, State       string
	Identity, Problem        *string
	Failures                 int
	Importing                bool
	Progress                 struct{ Done, Total, Added int }
	NextImportAt, ImportedAt *string
}

// toldOfOutside is told for what is about groups and carriers: each shows the thing as it was then, whatever became of it since.
func toldOfOutside(e eventSeen) bool {
	switch e.Typename {
	case "GroupEvent":
		return strings.HasPrefix(e.Kind, "GROUP_") && e.NumberGroup.Name == "shop" && e.NumberGroup.Policy == "STICKY"
	case "CarrierEvent":
		l := e.CarrierLink
		state := l.State // that an import came to nothing is told as an import, too
		if e.Kind != "RECORDS_IMPORT" {
			state = map[string]string{"CARRIER_LINKED": "ACTIVE", "CARRIER_WITHDRAWN": "WITHDRAWN", "CARRIER_UNLINKED": "ACTIVE"}[e.Kind]
		}
		return l.Carrier == "OVH" && l.State == state && *l.Identity == "xx1111-ovh" && (l.Problem != nil) == (state == "WITHDRAWN") &&
			l.Progress.Done <= l.Progress.Total && l.Progress.Added <= l.Progress.Done
	}
	return false
}

// channels gives the person a Matrix room in which he was told, and a device whose push service is away.
func (k *kit) channels(p *person) {
	k.Helper()
	k.notices.Attach(rooms{}, pushes{})
	must(k.svc.SetMatrixID(p.ctx, "@owner:example.com"))(k)
	must(k.svc.RegisterDevice(k.Context(), comms.RegisterDevice{AppID: "app", Build: "b1", Name: "telephone", Locale: "en", Token: "push token",
		Numbers: []uuid.UUID{p.numbers[0].ID}}))(k)
	k.send(p, p.numbers[0], "to myself")
	ctx, stop := context.WithCancel(k.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		k.notices.Run(ctx)
	}()
	told, tick := false, time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !told && time.Now().Before(end); <-tick.C {
		list := must(k.notices.Channels(p.ctx))(k)
		told = len(list) == 2 && list[0].ToldAt != nil && list[1].Problem != ""
	}
	stop()
	<-over
	if !told {
		k.Fatal("nothing was told", k.log)
	}
}

// rooms are a homeserver's that takes everything. What a real one says is tested where it is spoken to (providers/matrix).
type rooms struct{}

func (rooms) Open(_ context.Context, o notice.OpenRoom) (notice.Room, error) {
	return notice.Room{ID: "!" + o.Follower.String() + ":example.com"}, nil
}

func (rooms) Say(context.Context, notice.Say) error { return nil }

// pushes are a push service that is away.
type pushes struct{}

func (pushes) Service(string) string { return "push" }

func (pushes) Push(context.Context, notice.Notification) error {
	return &notice.Failure{Problem: notice.Away, Err: errors.New("no answer")}
}

// letter is the one that is posted, once the desk has sent it.
func (k *kit) letter() mail.Envelope {
	k.Helper()
	ctx, stop := context.WithTimeout(k.Context(), 20*time.Second)
	over := make(chan struct{})
	defer func() {
		stop()
		<-over
	}()
	go func() {
		defer close(over)
		k.mails.Run(ctx)
	}()
	select {
	case e := <-k.letters.sent:
		return e
	case <-ctx.Done():
		k.Fatal("no letter was sent")
		return mail.Envelope{}
	}
}

// token is what follows the address in a letter's link.
func (k *kit) token(letter mail.Envelope, address string) string {
	k.Helper()
	_, rest, ok := strings.Cut(letter.Text, address)
	if !ok || strings.Contains(rest, address) {
		k.Fatalf("the letter has not one link: %s", letter.Text)
	}
	return strings.Fields(rest)[0]
}
