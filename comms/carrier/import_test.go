package carrier_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/comms/carrier"
	"switchboard/ent"
	"switchboard/ent/carrierlink"
	"switchboard/ent/event"
	"switchboard/internal/clock"
	"switchboard/providers/ovh"
	"switchboard/providers/ovh/ovhtest"
)

func TestImport(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		at := time.Now().Add(-time.Hour).Truncate(time.Second)
		call := func(id int64, calling, called, dialed, way string) ovhtest.Consumption {
			return ovhtest.Consumption{ConsumptionID: id, Calling: calling, Called: called, Dialed: dialed, WayType: way, HangupNature: "Normal",
				CreationDatetime: at.Add(time.Duration(id) * time.Second), Duration: 60 * id}
		}
		old := call(9, "0033612345678", desk, desk, "incoming")
		old.CreationDatetime = at.Add(-91 * 24 * time.Hour)
		edge := call(0, "0033612345678", desk, desk, "incoming")
		edge.CreationDatetime = at.Add(-90*24*time.Hour + 2*time.Hour)
		o.serve("aa1-ovh", desk, map[int64]ovhtest.Consumption{0: edge, 1: call(1, "0033612345678", desk, desk, "incoming"),
			2: call(2, desk, "0044207946000", "", "outgoing"), 3: call(3, desk, "0033700000001", "0033972000009", "transfer"),
			4: call(4, "0033612345678", "0033700000001", desk, "transfer"), 5: call(5, "anonymous", desk, desk, "incoming"),
			6: call(6, desk, "3179", "3179", "outgoing"), 9: old})
		o.serve("aa1-ovh", shop, map[int64]ovhtest.Consumption{7: call(7, "", shop, shop, "incoming")})
		link := o.link(o.alice, "aa1-ovh")
		o.must(o.importNow(o.links))
		want := []string{
			"ovh:0033972000001/0 +33612345678>+33972000001(+33972000001) incoming/incoming 0s Normal",
			"ovh:0033972000001/1 +33612345678>+33972000001(+33972000001) incoming/incoming 60s Normal",
			"ovh:0033972000001/2 +33972000001>+44207946000(+44207946000) outgoing/outgoing 120s Normal",
			"ovh:0033972000001/3 +33972000001>+33700000001(+33972000009) outgoing/transfer 180s Normal",
			"ovh:0033972000001/4 +33612345678>+33700000001(+33972000001) incoming/transfer 240s Normal",
			"ovh:0033972000001/5 anonymous>+33972000001(+33972000001) incoming/incoming 300s Normal",
			"ovh:0033972000001/6 +33972000001>3179(3179) outgoing/outgoing 360s Normal",
			"ovh:0033972000002/7 >+33972000002(+33972000002) incoming/incoming 420s Normal",
		}
		same(o, o.records(o.alice), want)
		row := o.reread(link)
		if carrier.Importing(row) || row.Done != 8 || row.Total != 8 || row.Added != 8 || row.Problem != "" || row.ImportedAt == nil || row.LeaseUntil != nil {
			o.Errorf("after it: %+v", row)
		}
		same(o, o.kinds(o.alice), []string{"carrier.linked", "records.import", "records.import"})
		asked := o.ovh.Asked("/voiceConsumption/")
		o.ovh.Change(func() {
			o.ovh.Customer("aa1-ovh").Accounts["nr7-ovh-1"].Services[shop][8] = call(8, "+33699999999", shop, shop, "incoming")
		})
		o.must(o.importNow(o.links))
		want = append(want, "ovh:0033972000002/8 +33699999999>+33972000002(+33972000002) incoming/incoming 480s Normal")
		same(o, o.records(o.alice), want)
		if again := o.ovh.Asked("/voiceConsumption/") - asked; again != 1 {
			o.Errorf("%d calls were asked for again", again-1)
		}
		if len(o.records(o.robin)) != 0 {
			o.Error("robin has alice's calls")
		}
	})
}

// The log is told at sensible steps, and each event holds the link as it was then.
func TestProgress(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.calls("aa1-ovh", desk, 450)
		link := o.link(o.alice, "aa1-ovh")
		var seen []int
		o.must(o.links.Import(o.Context(), carrier.ImportNow{Email: "Alice@example.com", Progress: func(l *comms.CarrierLink) {
			if l.ID != link.ID {
				o.Errorf("told of %s", l.ID)
			}
			seen = append(seen, l.Done)
		}}))
		if !slices.IsSorted(seen) || seen[0] != 0 || seen[len(seen)-1] != 450 {
			o.Errorf("shown %v", seen)
		}
		var steps []int
		for _, row := range o.store.Read().Event.Query().Where(event.Kind("records.import")).Order(event.ByID()).AllX(o.Context()) {
			var fact struct{ Carrier *comms.CarrierLink }
			o.must(json.Unmarshal(row.Fact, &fact))
			steps = append(steps, fact.Carrier.Done)
			if running := fact.Carrier.Done < 450; carrier.Importing(fact.Carrier) != running {
				o.Errorf("event %d says that it runs: %v", len(steps), !running)
			}
		}
		if !slices.Equal(steps, []int{0, 100, 200, 300, 400, 450}) {
			o.Errorf("told %v", steps)
		}
	})
}

// An import is cut off in the middle, again and again; each time the next one goes on where it stood.
func TestImportCutOff(t *testing.T) {
	cuts := map[string]func(o *office, end context.CancelFunc, w http.ResponseWriter){
		"the process ends": func(_ *office, end context.CancelFunc, _ http.ResponseWriter) { end() },
		"the connection ends": func(o *office, _ context.CancelFunc, w http.ResponseWriter) {
			conn, _, err := http.NewResponseController(w).Hijack()
			o.must(err)
			_ = conn.Close()
		},
		"in the middle of an answer": func(_ *office, _ context.CancelFunc, w http.ResponseWriter) {
			w.Header().Set("Content-Length", "500")
			_, _ = w.Write([]byte(`{"consumptionId":`))
			panic(http.ErrAbortHandler)
		},
	}
	for name, cut := range cuts {
		t.Run(name, func(t *testing.T) {
			officesOnBoth(t, func(o *office) {
				calls := o.calls("aa1-ovh", desk, 700)
				link := o.link(o.alice, "aa1-ovh")
				var details atomic.Int64
				for round := 1; ; round++ {
					ctx, end := context.WithCancel(o.Context())
					limit := details.Load() + 250
					o.ovh.Break(func(w http.ResponseWriter, r *http.Request) bool {
						if !strings.Contains(r.URL.Path, "/voiceConsumption/") || details.Add(1) < limit {
							return false
						}
						cut(o, end, w)
						return true
					})
					err := o.process(carrier.Options{}, ovh.Options{}).Import(ctx, carrier.ImportNow{})
					end()
					if row := o.reread(link); carrier.Importing(row) || row.State != carrierlink.StateActive {
						o.Fatalf("after round %d: %+v", round, row)
					}
					if err == nil {
						break
					}
					if round > 5 {
						o.Fatalf("round %d: %v, %d records", round, err, len(o.records(o.alice)))
					}
				}
				if got := o.records(o.alice); len(got) != len(calls) {
					o.Errorf("%d records of %d", len(got), len(calls))
				}
				if n := details.Load(); n > int64(len(calls))+60 {
					o.Errorf("%d calls were asked for to import %d", n, len(calls))
				}
			})
		})
	}
}

func TestTwoImportsAtOnce(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		calls := o.calls("aa1-ovh", desk, 300)
		link := o.link(o.alice, "aa1-ovh")
		for range 3 { // servers whose schedules say that it is due
			o.running(o.process(carrier.Options{}, ovh.Options{}))
		}
		var all sync.WaitGroup
		for range 3 { // and operators
			s := o.process(carrier.Options{}, ovh.Options{})
			all.Go(func() {
				if err := o.importNow(s); err != nil && !strings.Contains(err.Error(), "another process") {
					o.Errorf("import: %v", err)
				}
			})
		}
		all.Wait()
		o.until("it is imported", func() bool { l := o.reread(link); return l.ImportedAt != nil && !carrier.Importing(l) })
		if got := o.records(o.alice); len(got) != len(calls) || o.ovh.Asked("/voiceConsumption/") != len(calls) {
			o.Errorf("%d records of %d, %d requests", len(got), len(calls), o.ovh.Asked("/voiceConsumption/"))
		}
	})
}

// A process that died holds its lease until it ends; then another goes on.
func TestDeadProcess(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.calls("aa1-ovh", desk, 3)
		link := o.link(o.alice, "aa1-ovh")
		lease := func(until time.Time) {
			o.must(o.store.Change(o.Context(), func(ctx context.Context, tx *ent.Client) error {
				return tx.CarrierLink.UpdateOneID(link.ID).SetNode("test1 dead").SetLeaseUntil(clock.From(until)).Exec(ctx)
			}, nil))
		}
		lease(time.Now().Add(time.Hour))
		if err := o.importNow(o.links); err == nil || !strings.Contains(err.Error(), "another process") {
			o.Errorf("imported what another process holds: %v", err)
		}
		stop := o.running(o.links)
		lease(time.Now().Add(300 * time.Millisecond))
		o.until("it is imported", func() bool { return o.reread(link).ImportedAt != nil })
		stop()
		if n := len(o.records(o.alice)); n != 3 {
			o.Errorf("%d records", n)
		}
	})
}

// The lease is held for as long as an import lasts, however short it is.
func TestLongImport(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.calls("aa1-ovh", desk, 1)
		link := o.link(o.alice, "aa1-ovh")
		lease := 200 * time.Millisecond
		slow, other := o.process(carrier.Options{Lease: lease}, ovh.Options{}), o.process(carrier.Options{Lease: lease}, ovh.Options{})
		release, reached := make(chan struct{}), make(chan struct{})
		o.ovh.Break(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/voiceConsumption/") {
				close(reached)
				<-release
			}
			return false
		})
		done := make(chan error)
		go func() { done <- o.importNow(slow) }()
		<-reached
		taken := *o.reread(link).LeaseUntil
		o.until("the lease was renewed twice", func() bool { return *o.reread(link).LeaseUntil > taken.Add(lease) })
		if err := o.importNow(other); err == nil || !strings.Contains(err.Error(), "another process") {
			o.Errorf("two import by one link: %v", err)
		}
		close(release)
		o.must(<-done)
	})
}

func TestUnlinkedMeanwhile(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.calls("aa1-ovh", desk, 300)
		link := o.link(o.alice, "aa1-ovh")
		var n atomic.Int64
		o.ovh.Break(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/voiceConsumption/") && n.Add(1) == 150 {
				_, err := o.links.UnlinkCarrier(o.alice, link.ID)
				o.must(err)
			}
			return false
		})
		if err := o.importNow(o.links); err == nil {
			o.Error("an import went on without its link")
		}
		if got := len(o.records(o.alice)); got != 100 { // the batch that was stored before
			o.Errorf("%d records", got)
		}
		if o.store.Read().CarrierLink.Query().CountX(o.Context()) != 0 || o.store.Read().ImportMark.Query().CountX(o.Context()) != 0 {
			o.Error("something of the link is left")
		}
		kinds := o.kinds(o.alice)
		if kinds[len(kinds)-1] != "carrier.unlinked" {
			o.Errorf("told %q", kinds)
		}
	})
}

// The customer consents anew while an import with his old key finds that it is withdrawn.
func TestLinkedAnewMeanwhile(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		o.calls("aa1-ovh", desk, 3)
		link := o.link(o.alice, "aa1-ovh")
		page, check := o.ask(o.alice)
		o.ovh.Consent(page, "aa1-ovh")
		var once sync.Once
		o.ovh.Break(func(w http.ResponseWriter, r *http.Request) (broken bool) {
			if strings.HasSuffix(r.URL.Path, "/telephony") {
				once.Do(func() {
					_, err := o.links.CheckCarrier(o.Context(), check)
					o.must(err)
					ovhtest.Refuse(w, 403, "NOT_CREDENTIAL", "This credential does not exist")
					broken = true
				})
			}
			return broken
		})
		if err := o.importNow(o.links); err == nil {
			o.Error("a key that is no good imported")
		}
		if row := o.reread(link); row.State != carrierlink.StateActive || row.NextAt == nil || time.Until(row.NextAt.Time()) > 0 {
			o.Errorf("the new consent does not count: %+v", row)
		}
		o.must(o.importNow(o.links))
	})
}

func TestImportOfNobody(t *testing.T) {
	officesOnBoth(t, func(o *office) {
		err := o.links.Import(o.Context(), carrier.ImportNow{Email: "nobody@example.com"})
		wants(o, err, comms.NotFound, "")
		o.link(o.alice, "aa1-ovh")
		ended, end := context.WithCancel(o.Context())
		end()
		if err := o.links.Import(ended, carrier.ImportNow{}); !errors.Is(err, context.Canceled) {
			o.Errorf("an import that may not begin: %v", err)
		}
	})
}
