package comms

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/event"
	"switchboard/ent/message"
	"switchboard/internal/clock"
)

// Kind says what happened: noun.past.
type Kind string

// The kinds of event.
const (
	MessageReceived   Kind = "message.received"
	MessageSent       Kind = "message.sent"
	MessageDelivered  Kind = "message.delivered"
	NumberCreated     Kind = "number.created"
	NumberUpdated     Kind = "number.updated"
	NumberDeleted     Kind = "number.deleted"
	NumberBlocked     Kind = "number.blocked"
	NumberUnblocked   Kind = "number.unblocked"
	ApiTokenCreated   Kind = "apitoken.created"
	ApiTokenRevoked   Kind = "apitoken.revoked"
	ApiKeyRegenerated Kind = "apikey.regenerated"
	AccountUpdated    Kind = "account.updated"
	CallQueued        Kind = "call.queued"
	CallDialled       Kind = "call.dialled"
	CallRang          Kind = "call.rang"
	CallAnswered      Kind = "call.answered"
	CallTransferred   Kind = "call.transferred"
	CallEnded         Kind = "call.ended" // the one terminal event; the call's outcome says what became of it
	RecordingStarted  Kind = "recording.started"
	RecordingReady    Kind = "recording.ready"
	RecordingFailed   Kind = "recording.failed"
	RecordingDeleted  Kind = "recording.deleted"
	MaskCreated       Kind = "mask.created"
	MaskUpdated       Kind = "mask.updated"
	MaskEnded         Kind = "mask.ended"
	PhoneCreated      Kind = "phone.created"
	PhoneUpdated      Kind = "phone.updated"
	PhoneDeleted      Kind = "phone.deleted"
	PhoneRegistered   Kind = "phone.registered"
	PhoneUnregistered Kind = "phone.unregistered"
	GroupCreated      Kind = "group.created"
	GroupUpdated      Kind = "group.updated"
	GroupDeleted      Kind = "group.deleted"
	CarrierLinked     Kind = "carrier.linked"    // the customer has consented
	CarrierWithdrawn  Kind = "carrier.withdrawn" // and has taken that back
	CarrierUnlinked   Kind = "carrier.unlinked"
	RecordsImport     Kind = "records.import" // how an import goes: begun, further, done, failed; the carrier link says which
)

// Kinds is every kind.
func Kinds() []Kind {
	return []Kind{MessageReceived, MessageSent, MessageDelivered, NumberCreated, NumberUpdated, NumberDeleted, NumberBlocked,
		NumberUnblocked, ApiTokenCreated, ApiTokenRevoked, ApiKeyRegenerated, AccountUpdated, CallQueued, CallDialled, CallRang,
		CallAnswered, CallTransferred, CallEnded, RecordingStarted, RecordingReady, RecordingFailed, RecordingDeleted, MaskCreated, MaskUpdated,
		MaskEnded, PhoneCreated, PhoneUpdated, PhoneDeleted, PhoneRegistered, PhoneUnregistered, GroupCreated, GroupUpdated,
		GroupDeleted, CarrierLinked, CarrierWithdrawn, CarrierUnlinked, RecordsImport}
}

// CallKinds are the steps of a call, in the order in which it takes them.
func CallKinds() []Kind {
	return []Kind{CallQueued, CallDialled, CallRang, CallAnswered, CallTransferred, CallEnded}
}

// Event is one line of an account's log. What it happened to is carried as it was at the commit: by the time somebody reads
// the row it may have moved on. Whoever gets an Event must not change it: all watchers share it.
type Event struct {
	ID        int64
	AccountID uuid.UUID
	Kind      Kind
	NumberID  uuid.UUID // the account's number that it happened to; Nil: none
	At        clock.Micros
	Message   *Message
	Number    *Number
	Block     *Block
	Token     *ApiToken
	Account   *Account
	Call      *Call
	Recording *Recording
	Mask      *Mask
	Phone     *SipNumber
	Group     *NumberGroup
	Carrier   *CarrierLink
}

// CallID is the account's record of the call that the event tells of; Nil: it tells of none.
func (e *Event) CallID() uuid.UUID {
	switch {
	case e.Call != nil:
		return e.Call.ID
	case e.Recording != nil:
		return e.Recording.CallID
	}
	return uuid.Nil
}

// fact is what is stored of an event beside its columns. Of a message only the id is stored: all that can change of one is
// whether it was delivered, and the event's kind and time say that.
type fact struct {
	Number  *Number   `json:"number,omitempty"`
	Block   *Block    `json:"block,omitempty"`
	Token   *ApiToken `json:"token,omitempty"`
	Account *Account  `json:"account,omitempty"`

	Call      *Call      `json:"call,omitempty"`
	Recording *Recording `json:"recording,omitempty"`
	Mask      *Mask      `json:"mask,omitempty"`
	Phone     *SipNumber `json:"phone,omitempty"`

	Group   *NumberGroup `json:"group,omitempty"`
	Carrier *CarrierLink `json:"carrier,omitempty"`
}

// Cursor is the event's place in its account's log, for a client to resume after.
func (e *Event) Cursor() string { return formatCursor(e.ID) }

func formatCursor(id int64) string { return "e" + strconv.FormatInt(id, 36) }

func parseCursor(s string) (int64, error) {
	digits, ok := strings.CutPrefix(s, "e")
	id, err := strconv.ParseInt(digits, 36, 64)
	if !ok || err != nil || id < 0 {
		return 0, badCursor()
	}
	return id, nil
}

func badCursor() error {
	return &Error{Code: Invalid, Field: "after", Reason: ReasonBadCursor, Text: "after is not a cursor of this log"}
}

// readEvents is up to limit events of the account after a place in its log, oldest first.
func (s *Service) readEvents(ctx context.Context, account uuid.UUID, after int64, limit int, w *Watch) ([]*Event, error) {
	q := s.store.Read().Event.Query().Where(event.AccountID(account), event.IDGT(after))
	if w != nil && len(w.Kinds) > 0 {
		kinds := make([]string, len(w.Kinds))
		for i, k := range w.Kinds {
			kinds[i] = string(k)
		}
		q.Where(event.KindIn(kinds...))
	}
	if w != nil && len(w.NumberIDs) > 0 {
		q.Where(event.NumberIDIn(w.NumberIDs...))
	}
	if w != nil && w.CallID != uuid.Nil {
		q.Where(event.CallID(w.CallID))
	}
	rows, err := q.Order(event.ByID()).Limit(limit).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	messages, err := s.messagesOf(ctx, rows)
	if err != nil {
		return nil, err
	}
	out := make([]*Event, len(rows))
	for i, r := range rows {
		if out[i], err = eventOf(r, messages); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// messagesOf reads the messages that the events tell of, in one statement.
func (s *Service) messagesOf(ctx context.Context, rows []*ent.Event) (map[int64]*Message, error) {
	var ids []int64
	for _, r := range rows {
		if r.MessageID != nil {
			ids = append(ids, *r.MessageID)
		}
	}
	out := make(map[int64]*Message, len(ids))
	for chunk := range slices.Chunk(ids, rowsAtOnce) {
		found, err := s.store.Read().Message.Query().Where(message.IDIn(chunk...)).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the messages of the log: %w", err)
		}
		for _, m := range found {
			out[m.ID] = m
		}
	}
	return out, nil
}

func eventOf(r *ent.Event, messages map[int64]*Message) (*Event, error) {
	e := &Event{ID: r.ID, AccountID: r.AccountID, Kind: Kind(r.Kind), At: r.CreatedAt}
	if r.NumberID != nil {
		e.NumberID = *r.NumberID
	}
	if r.MessageID != nil {
		m := messages[*r.MessageID]
		if m == nil {
			return nil, fmt.Errorf("event %d: its message is gone", r.ID)
		}
		e.Message = messageThen(m, e)
		return e, nil
	}
	var f fact
	if err := json.Unmarshal(r.Fact, &f); err != nil {
		return nil, fmt.Errorf("decode event %d: %w", r.ID, err)
	}
	e.Number, e.Block, e.Token, e.Account = f.Number, f.Block, f.Token, f.Account
	e.Call, e.Recording, e.Mask, e.Phone = f.Call, f.Recording, f.Mask, f.Phone
	e.Group, e.Carrier = f.Group, f.Carrier
	return e, nil
}

// messageThen is the message as it was at the event, as its account may see it: the other side's number id is its credential and
// does not enter this log.
func messageThen(m *Message, e *Event) *Message {
	then := *m
	then.DeliveredAt = nil
	if e.Kind == MessageDelivered {
		then.DeliveredAt = &e.At
	}
	if m.FromAccount != m.ToAccount {
		if e.AccountID == m.ToAccount {
			then.FromNumberID = uuid.Nil
		} else {
			then.ToNumberID = uuid.Nil
		}
	}
	return &then
}
