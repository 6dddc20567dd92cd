package call

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/contact"
	"switchboard/ent/sipnumber"
	"switchboard/internal/clock"
)

// SaveContact says where a telephone can be reached: one binding of its address of record (RFC 3261 section 10.3). An Expires that is not
// in the future removes it; then a URI of "*" removes them all.
type SaveContact struct {
	Phone     uuid.UUID
	URI       string
	Source    string // host:port that the REGISTER came from
	Transport string // udp, tcp, tls, ws or wss
	UserAgent string
	CallID    string
	CSeq      int64
	Expires   clock.Micros
}

func (in SaveContact) key() contactKey { return contactKey{in.Phone, in.URI} }

// mostContacts bounds how many telephones ring at once for one number, and what one of them can make the registrar remember.
const mostContacts = 10

// SaveContact stores a contact so that it survives a restart, and tells phone.registered when it is the telephone's first and
// phone.unregistered when the last one goes. A refresh is written a moment later (contact_refresh.go): a crash may forget that moment's,
// and the telephone's next REGISTER repairs it.
func (s *Service) SaveContact(ctx context.Context, in SaveContact) error {
	now := clock.Now()
	if refreshed, err := s.contacts.refresh(in, now); refreshed || err != nil {
		return err
	}
	account, err := s.accountOfPhone(ctx, in.Phone)
	if err != nil {
		return err
	}
	err = s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		phone, err := s.phoneWithContacts(ctx, c, account, in.Phone)
		if err != nil {
			return err
		}
		if in.Expires <= now {
			return s.removeContacts(ctx, c, phone, func(b *comms.Contact) bool { return in.URI == "*" || b.URI == in.URI })
		}
		return s.putContact(ctx, c, phone, in)
	})
	if err != nil {
		return err
	}
	s.contacts.keep(in, now)
	return nil
}

// accountOfPhone is read before the change begins, because an account is locked before anything else is (comms/change.go).
func (s *Service) accountOfPhone(ctx context.Context, phone uuid.UUID) (uuid.UUID, error) {
	row, err := s.in.Read().SipNumber.Get(ctx, phone)
	if err != nil {
		return uuid.Nil, noPhone(err)
	}
	return row.AccountID, nil
}

// phoneWithContacts is the telephone with its contacts and what it rings for; whoever else changes its contacts waits.
func (s *Service) phoneWithContacts(ctx context.Context, c *comms.Change, account, phone uuid.UUID) (*comms.SipNumber, error) {
	if err := s.in.Lock(ctx, c, account); err != nil {
		return nil, err
	}
	row, err := c.Tx().SipNumber.Query().Where(sipnumber.ID(phone)).WithRings(sortedRings).WithContacts().Only(ctx)
	if err != nil {
		return nil, noPhone(err)
	}
	return row, nil
}

// putContact writes one binding. RFC 3261 section 10.3, step 7: of two REGISTERs of one Call-ID the one with the higher CSeq counts,
// whichever comes last.
func (s *Service) putContact(ctx context.Context, c *comms.Change, phone *comms.SipNumber, in SaveContact) error {
	fresh := 0
	for _, b := range phone.Edges.Contacts {
		if b.URI != in.URI {
			if b.ExpiresAt != nil && *b.ExpiresAt > c.Now() {
				fresh++
			}
			continue
		}
		if b.CallID == in.CallID && in.CSeq < b.Cseq {
			return outOfOrder()
		}
		err := c.Tx().Contact.UpdateOneID(b.ID).SetSource(in.Source).SetTransport(in.Transport).SetUserAgent(in.UserAgent).
			SetCallID(in.CallID).SetCseq(in.CSeq).SetNode(s.in.Node()).SetExpiresAt(in.Expires).Exec(ctx)
		if err != nil {
			return fmt.Errorf("store a contact: %w", err)
		}
		return nil
	}
	if fresh >= mostContacts {
		return comms.Refused(comms.Conflict, "contact", comms.ReasonNone, "the telephone is registered at as many places as it may be")
	}
	err := c.Tx().Contact.Create().SetSipNumberID(phone.ID).SetURI(in.URI).SetSource(in.Source).SetTransport(in.Transport).
		SetUserAgent(in.UserAgent).SetCallID(in.CallID).SetCseq(in.CSeq).SetNode(s.in.Node()).SetExpiresAt(in.Expires).SetCreatedAt(c.Now()).Exec(ctx)
	if err != nil {
		return fmt.Errorf("store a contact: %w", err)
	}
	// A row whose time is over, but which was not swept yet, was not told to be gone: the telephone was registered all the time.
	if len(phone.Edges.Contacts) > 0 {
		return nil
	}
	now := c.Now()
	if err := c.Tx().SipNumber.UpdateOneID(phone.ID).SetRegisteredAt(now).Exec(ctx); err != nil {
		return fmt.Errorf("note that a telephone registered: %w", err)
	}
	phone.RegisteredAt = &now
	s.tellPhone(c, comms.PhoneRegistered, phone)
	return nil
}

func outOfOrder() error {
	return comms.Refused(comms.Conflict, "cseq", comms.ReasonNone, "a later REGISTER of this telephone has come already")
}

// removeContacts removes some of a telephone's contacts, and tells when none is left.
func (s *Service) removeContacts(ctx context.Context, c *comms.Change, phone *comms.SipNumber, gone func(*comms.Contact) bool) error {
	var ids []uuid.UUID
	for _, b := range phone.Edges.Contacts {
		if gone(b) {
			ids = append(ids, b.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if _, err := c.Tx().Contact.Delete().Where(contact.IDIn(ids...)).Exec(ctx); err != nil {
		return fmt.Errorf("remove contacts: %w", err)
	}
	if len(ids) == len(phone.Edges.Contacts) {
		s.tellPhone(c, comms.PhoneUnregistered, phone)
	}
	return nil
}

// dropContacts ends all registrations of a telephone, because of something that happened to it.
func (s *Service) dropContacts(ctx context.Context, c *comms.Change, phone *comms.SipNumber) error {
	removed, err := c.Tx().Contact.Delete().Where(contact.SipNumberID(phone.ID)).Exec(ctx)
	if err != nil {
		return fmt.Errorf("remove contacts: %w", err)
	}
	if removed > 0 {
		s.tellPhone(c, comms.PhoneUnregistered, phone)
	}
	return nil
}

// tellPhone tells of a telephone without its contacts: where its owner sits does not belong in a log that integrations read.
func (s *Service) tellPhone(c *comms.Change, kind comms.Kind, phone *comms.SipNumber) {
	then := *phone
	then.Edges.Contacts = nil
	c.Tell(&comms.Event{Kind: kind, AccountID: phone.AccountID, Phone: &then})
}

// Contacts is where all telephones can be reached, for the registrar when it starts. Those of other processes are among them (Node).
func (s *Service) Contacts(ctx context.Context) ([]*comms.Contact, error) {
	now := clock.Now()
	rows, err := s.in.Read().Contact.Query().Where(contact.ExpiresAtGT(now)).Order(contact.ByExpiresAt()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read contacts: %w", err)
	}
	for _, b := range rows {
		if b.Node == s.in.Node() {
			s.contacts.keep(SaveContact{Phone: b.SipNumberID, URI: b.URI, Source: b.Source, Transport: b.Transport, UserAgent: b.UserAgent,
				CallID: b.CallID, CSeq: b.Cseq, Expires: *b.ExpiresAt}, now)
		}
	}
	return rows, nil
}

// ForgetContacts removes contacts that can't be reached any more, as when a connection broke that only the telephone can open again.
func (s *Service) ForgetContacts(ctx context.Context, ids []uuid.UUID) error {
	rows, err := s.in.Read().Contact.Query().Where(contact.IDIn(ids...)).WithPhone().All(ctx)
	if err != nil {
		return fmt.Errorf("read contacts: %w", err)
	}
	wanted := make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	return s.endContacts(ctx, rows, func(_ clock.Micros, b *comms.Contact) bool { return wanted[b.ID] })
}

// endContacts ends those of the telephones' contacts that match, each telephone in a change of its own.
func (s *Service) endContacts(ctx context.Context, rows []*comms.Contact, match func(clock.Micros, *comms.Contact) bool) error {
	done := map[uuid.UUID]bool{}
	for _, row := range rows {
		if done[row.SipNumberID] || row.Edges.Phone == nil {
			continue
		}
		done[row.SipNumberID] = true
		var ended []contactKey
		err := s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
			ended = nil
			phone, err := s.phoneWithContacts(ctx, c, row.Edges.Phone.AccountID, row.SipNumberID)
			if err != nil {
				return err
			}
			return s.removeContacts(ctx, c, phone, func(b *comms.Contact) bool {
				over := match(c.Now(), b)
				if over {
					ended = append(ended, contactKey{b.SipNumberID, b.URI})
				}
				return over
			})
		})
		if err != nil && !comms.IsCode(err, comms.NotFound) { // a telephone that is gone took its contacts along
			return err
		}
		s.contacts.drop(ended...)
	}
	return nil
}
