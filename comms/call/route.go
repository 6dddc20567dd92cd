package call

import (
	"context"
	"fmt"
	"strings"

	"entgo.io/ent/dialect/sql/sqlgraph"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/call"
	"switchboard/internal/clock"
)

// RouteCall decides what to do with a call that came in, and records it. A refusal is a verdict too; an error says that nothing could be
// decided.
func (s *Service) RouteCall(ctx context.Context, in RouteCall) (*Verdict, error) {
	for again := false; ; again = true {
		d, err := s.route(ctx, question{RouteCall: in, At: clock.Now()}, decide)
		if err == nil {
			return &d.Verdict, nil
		}
		if again || !sqlgraph.IsConstraintError(err) { // a number was deleted since the facts were read: then the facts are others now
			return nil, err
		}
	}
}

// route answers a question and stores what came of it.
func (s *Service) route(ctx context.Context, q question, decide func(*facts) *decision) (*decision, error) {
	f, err := s.facts(ctx, q)
	if err != nil {
		return nil, err
	}
	d := s.live.admit(f, q, decide)
	if r := d.Verdict.Refuse; r != nil && r.Why == WhyTooMany {
		// Whoever tries numbers with a stolen password is not to fill the store with them as well.
		s.live.drop(d.Verdict.Call)
		s.in.Log().WarnContext(ctx, "a call is refused by a limit", "account", f.Caller.Account, "limit", r.Text)
		return d, nil
	}
	if err := s.open(ctx, d); err != nil {
		s.live.drop(d.Verdict.Call)
		return nil, err
	}
	return d, nil
}

// status is the one in which a call begins.
func (d *decision) status() call.Status {
	if d.Verdict.Refuse != nil || d.Verdict.Ask != nil || d.Verdict.placed() {
		return call.StatusQueued
	}
	return call.StatusDialling
}

// placed tells whether nobody rang in.
func (v *Verdict) placed() bool { return v.First != nil || v.Hold }

// open stores the records of a call that begins.
func (s *Service) open(ctx context.Context, d *decision) error {
	if len(d.Records) == 0 {
		return nil
	}
	err := s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error { return s.begin(ctx, c, d) })
	if err == nil {
		s.live.hold(d.Verdict.Call, d.Records)
	}
	return err
}

// begin writes the records and tells of them.
func (s *Service) begin(ctx context.Context, c *comms.Change, d *decision) error {
	if err := s.in.Lock(ctx, c, accountsOf(d.Records)...); err != nil {
		return err
	}
	return s.insert(ctx, c, d.Records, d.status())
}

// callColumns are what is written of a record that begins: all that must not be null, and what is known by then.
var callColumns = []string{call.FieldID, call.FieldConversationID, call.FieldAccountID, call.FieldNumberID, call.FieldPeer, call.FieldSecond,
	call.FieldDirection, call.FieldStatus, call.FieldRecord, call.FieldMaskID, call.FieldApplicationID, call.FieldClientKey, call.FieldUserData,
	call.FieldNode, call.FieldCreatedAt, call.FieldDialledAt, call.FieldReason, call.FieldSipStatus, call.FieldCause, call.FieldDuration}

// callInsert is the statement for so many records, which are few. It is written out because it runs for each call: ent's builder takes as long
// as the database does.
func callInsert(rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + call.Table + " (" + strings.Join(callColumns, ",") + ") VALUES ")
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("(" + marks(i*len(callColumns), len(callColumns)) + ")")
	}
	return b.String()
}

// insert stores records that have reached a status, which is queued or dialling.
func (s *Service) insert(ctx context.Context, c *comms.Change, rows []*comms.Call, status call.Status) error {
	if len(rows) == 0 {
		return nil
	}
	now := c.Now()
	kind := comms.CallQueued
	args := make([]any, 0, len(rows)*len(callColumns))
	for _, r := range rows {
		r.Status, r.CreatedAt, r.Node, r.DialledAt = status, now, s.in.Node(), nil
		var dialled any
		if status == call.StatusDialling {
			r.DialledAt, kind, dialled = &now, comms.CallDialled, int64(now)
		}
		args = append(args, r.ID, r.ConversationID, r.AccountID, r.NumberID, r.Peer, r.Second, string(r.Direction), string(status), r.Record, r.MaskID,
			r.ApplicationID, r.ClientKey, r.UserData, r.Node, int64(now), dialled, "", int64(0), int64(0), int64(0))
	}
	if _, err := c.Tx().ExecContext(ctx, callInsert(len(rows)), args...); err != nil {
		return fmt.Errorf("store a call: %w", err)
	}
	for _, r := range rows {
		tell(c, kind, r)
	}
	return nil
}

// tell adds what happened to a call to its account's log, as the record stands.
func tell(c *comms.Change, kind comms.Kind, row *comms.Call) {
	then := *row
	e := &comms.Event{Kind: kind, AccountID: row.AccountID, Call: &then}
	if row.NumberID != nil {
		e.NumberID = *row.NumberID
	}
	c.Tell(e)
}

func accountsOf(rows []*comms.Call) []uuid.UUID {
	out := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		out[i] = r.AccountID
	}
	return out
}
