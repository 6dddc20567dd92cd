package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/contact"
	"switchboard/internal/clock"
)

// contactBook is what this process knows of the contacts that it saved, so that a refresh, which nearly every REGISTER is, costs no
// change of its own: that moves only the end, which is written with those of others a moment later.
type contactBook struct {
	mu        sync.Mutex
	saved     map[contactKey]SaveContact // as they were saved last
	pending   map[contactKey]SaveContact // refreshed, and not written yet
	forgotten []func(phone uuid.UUID)
}

type contactKey struct {
	phone uuid.UUID
	uri   string
}

const (
	refreshEvery = time.Second
	expireEvery  = 10 * time.Second
	// expireSlack is how much longer a row is left than it says: another process may hold a refresh that it has not written yet.
	expireSlack = 5 * time.Second
)

// OnPhoneForgotten has fn called when the registrations of a telephone were ended from outside: it was deleted, or has another password.
// Whoever holds its contacts in memory drops them.
func (s *Service) OnPhoneForgotten(fn func(phone uuid.UUID)) {
	s.contacts.mu.Lock()
	defer s.contacts.mu.Unlock()
	s.contacts.forgotten = append(s.contacts.forgotten, fn)
}

// refresh tells whether in only says that a contact goes on. If so it has taken note.
func (b *contactBook) refresh(in SaveContact, now clock.Micros) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, ok := b.saved[in.key()]
	if !ok || in.Expires <= now || old.Expires <= now {
		return false, nil
	}
	if old.CallID == in.CallID && in.CSeq < old.CSeq {
		return false, outOfOrder()
	}
	same := old
	same.CSeq, same.Expires = in.CSeq, in.Expires
	if same != in {
		return false, nil
	}
	b.note(in)
	b.pending[in.key()] = in
	return true, nil
}

// keep remembers what was written.
func (b *contactBook) keep(in SaveContact, now clock.Micros) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if in.Expires > now {
		b.note(in)
		delete(b.pending, in.key())
		return
	}
	for k := range b.saved {
		if k == in.key() || in.URI == "*" && k.phone == in.Phone {
			b.remove(k)
		}
	}
}

func (b *contactBook) note(in SaveContact) {
	if b.saved == nil {
		b.saved, b.pending = map[contactKey]SaveContact{}, map[contactKey]SaveContact{}
	}
	b.saved[in.key()] = in
}

func (b *contactBook) remove(k contactKey) {
	delete(b.saved, k)
	delete(b.pending, k)
}

func (b *contactBook) drop(keys ...contactKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range keys {
		b.remove(k)
	}
}

// forget drops all contacts of a telephone and tells who wants to know.
func (b *contactBook) forget(phone uuid.UUID) {
	b.mu.Lock()
	for k := range b.saved {
		if k.phone == phone {
			b.remove(k)
		}
	}
	tell := slices.Clone(b.forgotten)
	b.mu.Unlock()
	for _, fn := range tell {
		fn(phone)
	}
}

// take empties what is to be written, in one order for all who do so, and forgets what ended long ago.
func (b *contactBook) take(now clock.Micros) []SaveContact {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]SaveContact, 0, len(b.pending))
	for _, in := range b.pending {
		out = append(out, in)
	}
	clear(b.pending)
	for k, in := range b.saved {
		if in.Expires < now.Add(-time.Minute) {
			b.remove(k)
		}
	}
	slices.SortFunc(out, func(x, y SaveContact) int {
		return cmp.Or(slices.Compare(x.Phone[:], y.Phone[:]), strings.Compare(x.URI, y.URI))
	})
	return out
}

// putBack is for what could not be written: it is tried again, unless something newer is known by then.
func (b *contactBook) putBack(list []SaveContact) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, in := range list {
		if b.saved[in.key()] == in {
			b.pending[in.key()] = in
		}
	}
}

// contactsAtOnce is how many refreshes one change writes: calls get their turn in between.
const contactsAtOnce = 500

// writeRefreshes writes what refreshes moved.
func (s *Service) writeRefreshes(ctx context.Context) error {
	list := s.contacts.take(clock.Now())
	for len(list) > 0 {
		chunk := list[:min(contactsAtOnce, len(list))]
		err := s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
			for _, in := range chunk {
				// Only what this process wrote last: who is registered elsewhere since is not called back here.
				mine := contact.And(contact.SipNumberID(in.Phone), contact.URI(in.URI), contact.Node(s.in.Node()), contact.CallID(in.CallID))
				if err := c.Tx().Contact.Update().Where(mine).SetExpiresAt(in.Expires).SetCseq(in.CSeq).Exec(ctx); err != nil {
					return fmt.Errorf("refresh a contact: %w", err)
				}
			}
			return nil
		})
		if err != nil {
			s.contacts.putBack(list)
			return err
		}
		list = list[len(chunk):]
	}
	return nil
}

// expireContacts removes those whose time is over.
func (s *Service) expireContacts(ctx context.Context, now clock.Micros) error {
	over := now.Add(-expireSlack)
	rows, err := s.in.Read().Contact.Query().Where(contact.ExpiresAtLTE(over)).WithPhone().All(ctx)
	if err != nil {
		return fmt.Errorf("look for contacts that ended: %w", err)
	}
	return s.endContacts(ctx, rows, func(_ clock.Micros, b *comms.Contact) bool { return b.ExpiresAt != nil && *b.ExpiresAt <= over })
}

// runContacts writes refreshes and ends what was not refreshed, until ctx ends; what is noted then is still written.
func (s *Service) runContacts(ctx context.Context) {
	write, expire := time.NewTicker(refreshEvery), time.NewTicker(expireEvery)
	defer write.Stop()
	defer expire.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			s.complain(last, "write refreshes", s.writeRefreshes(last))
			return
		case <-write.C:
			s.complain(ctx, "write refreshes", s.writeRefreshes(ctx))
		case now := <-expire.C:
			s.complain(ctx, "end contacts", errors.Join(s.writeRefreshes(ctx), s.expireContacts(ctx, clock.From(now))))
		}
	}
}

// complain logs what went wrong where there is nobody to answer.
func (s *Service) complain(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.in.Log().ErrorContext(ctx, what, "error", err)
	}
}
