package call

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// registry knows the calls that this process holds: what they take up, and until when which report of each is due. The truth about a call is
// in its records; what is here can be lost and costs no more than that, because Restart and the watchdog end what nobody holds.
//
// Limits are therefore each process's own: of two on one database each lets so many through.
type registry struct {
	mu    sync.Mutex
	load  load
	calls map[uuid.UUID]*liveCall
}

// load is what is going on.
type load struct {
	accounts, numbers, trunks map[uuid.UUID]int            // calls at once
	fresh                     map[uuid.UUID][]clock.Micros // when the new calls of the last minute began, of accounts and trunks
}

// liveCall is one conversation.
type liveCall struct {
	decision *decision
	accounts []uuid.UUID // that have records of it
	status   call.Status
	since    clock.Micros // it is in that status
	takes    bool         // it is counted in the load
	began    []uuid.UUID  // whose new calls it is one of
	question question     // what was asked, to be asked again with digits
	tries    int          // how often digits were asked for
	held     held
	end      *End // was reported, but could not be written down yet
	transfer *transferring
}

func newRegistry() *registry {
	return &registry{calls: map[uuid.UUID]*liveCall{}, load: newLoad()}
}

func newLoad() load {
	return load{accounts: map[uuid.UUID]int{}, numbers: map[uuid.UUID]int{}, trunks: map[uuid.UUID]int{}, fresh: map[uuid.UUID][]clock.Micros{}}
}

// admit decides of a call and has it counted if it is let through, so that of two that would be one too many one is refused. A call that
// was admitted before, and goes on with digits, doesn't stand in its own way.
func (r *registry) admit(f *facts, q question, decide func(*facts) *decision) *decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.calls[f.Call]
	if l == nil {
		l = &liveCall{}
	}
	r.release(l)
	r.load.forget(f.At.Add(-time.Minute))
	f.Load = &r.load
	d := decide(f)
	f.Load = nil
	l.decision, l.question, l.status, l.since = d, q, d.status(), f.At
	for _, row := range d.Records {
		if !slices.Contains(l.accounts, row.AccountID) {
			l.accounts = append(l.accounts, row.AccountID)
		}
	}
	if d.Verdict.Ask != nil {
		l.tries++
	}
	if d.Verdict.Refuse == nil {
		r.take(l, f.At)
	}
	if len(d.Records) > 0 || l.takes {
		r.calls[f.Call] = l
	}
	return d
}

func (r *registry) take(l *liveCall, now clock.Micros) {
	l.takes = true
	r.load.add(l.decision, 1)
	for _, id := range slices.Concat(l.decision.Payers, l.decision.Trunks) {
		if !slices.Contains(l.began, id) {
			l.began = append(l.began, id)
			r.load.fresh[id] = append(r.load.fresh[id], now)
		}
	}
}

func (r *registry) release(l *liveCall) {
	if l.takes {
		l.takes = false
		r.load.add(l.decision, -1)
	}
}

func (l *load) add(d *decision, n int) {
	for counts, ids := range map[*map[uuid.UUID]int][]uuid.UUID{&l.accounts: d.Payers, &l.numbers: d.Numbers, &l.trunks: d.Trunks} {
		for _, id := range ids {
			if (*counts)[id] += n; (*counts)[id] == 0 {
				delete(*counts, id)
			}
		}
	}
}

// forget drops the beginnings of calls before a time.
func (l *load) forget(before clock.Micros) {
	for id, times := range l.fresh {
		old, _ := slices.BinarySearch(times, before)
		if old == len(times) {
			delete(l.fresh, id)
		} else {
			l.fresh[id] = times[old:]
		}
	}
}

// accountsOf are the accounts that have records of a call that this process holds.
func (r *registry) accountsOf(id uuid.UUID) []uuid.UUID {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.calls[id]; l != nil {
		return l.accounts
	}
	return nil
}

// asked is the question that digits are to complete.
func (r *registry) asked(id uuid.UUID) (q question, tries int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.calls[id]
	if l == nil || l.end != nil || l.decision.Verdict.Ask == nil {
		return question{}, 0, false
	}
	return l.question, l.tries, true
}

// stages are the statuses of a live call in their order.
var stages = []call.Status{call.StatusQueued, call.StatusDialling, call.StatusRinging, call.StatusAnswered}

// moved notes how far a call has come. Of two reports that were written down one after the other the first may be noted here last.
func (r *registry) moved(id uuid.UUID, to call.Status, at clock.Micros) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.calls[id]; l != nil && slices.Index(stages, to) > slices.Index(stages, l.status) {
		l.status, l.since = to, at
	}
}

// ending notes that a call is over: nothing of it counts any more, whether or not that can be written down. It gives the first end that
// was reported, which is the one that counts.
func (r *registry) ending(id uuid.UUID, e End) End {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.calls[id]
	if l == nil {
		return e
	}
	r.release(l)
	if l.end == nil {
		l.end = &e
	}
	return *l.end
}

// transferring notes a transfer that is about to be ordered; false: there is one already.
func (r *registry) transferring(id uuid.UUID, t *transferring) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.calls[id]
	if l == nil { // the engine won't know the call either
		return true
	}
	if l.transfer != nil {
		return false
	}
	l.transfer = t
	return true
}

// transfer is the one that a call is in; nil: none.
func (r *registry) transfer(id uuid.UUID) *transferring {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.calls[id]; l != nil {
		return l.transfer
	}
	return nil
}

func (r *registry) transferOver(id uuid.UUID, t *transferring) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.calls[id]; l != nil && l.transfer == t {
		l.transfer = nil
	}
}

// drop forgets a call whose end is written down, or that never came to be.
func (r *registry) drop(id uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.calls[id]; l != nil {
		r.release(l)
		delete(r.calls, id)
	}
}

// holds tells whether this process holds the call, and it is not over.
func (r *registry) holds(id uuid.UUID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.calls[id]
	return l != nil && l.end == nil
}

// with are the calls in which a number of ours takes part.
func (r *registry) with(number uuid.UUID) []uuid.UUID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []uuid.UUID
	for id, l := range r.calls {
		if l.end == nil && slices.Contains(l.decision.Numbers, number) {
			out = append(out, id)
		}
	}
	return out
}

// knows tells whether there is anything to be known of the call here, be it that its end is still to be written down.
func (r *registry) knows(id uuid.UUID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[id] != nil
}

// heldSince are the calls that have been as they are since before a time.
func (r *registry) heldSince(before clock.Micros) map[uuid.UUID]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[uuid.UUID]bool{}
	for id, l := range r.calls {
		if l.end == nil && l.since < before {
			out[id] = true
		}
	}
	return out
}

// overdue is a call that should have ended.
type overdue struct {
	id  uuid.UUID
	end End
}

// overdue are the calls that should have ended by now, and those whose end is still to be written down.
func (r *registry) overdue(now clock.Micros) []overdue {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []overdue
	for id, l := range r.calls {
		if l.end != nil {
			if l.held.turn.TryLock() { // otherwise it is being written down just now
				l.held.turn.Unlock()
				out = append(out, overdue{id, *l.end})
			}
		} else if why, most := l.due(); now.Sub(l.since) > most+slack {
			out = append(out, overdue{id, End{Why: why, By: ByUs}})
		}
	}
	return out
}

// due is how long the call may stay as it is, and what it dies of then.
func (l *liveCall) due() (Why, time.Duration) {
	v := l.decision.Verdict
	var ring time.Duration
	for _, leg := range []*Leg{v.First, v.Second} {
		if leg != nil {
			ring += leg.RingFor
		}
	}
	switch {
	case l.status == call.StatusAnswered:
		return WhyTooLong, v.MaxDuration
	case v.Refuse != nil:
		return v.Refuse.Why, 0
	case v.Ask != nil:
		return WhyLost, longestAsk
	}
	return WhyNoAnswer, ring
}
