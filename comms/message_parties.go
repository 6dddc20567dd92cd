package comms

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"switchboard/ent"
)

// parties are the two sides of a send, as the store knows them at this moment.
type parties struct {
	account uuid.UUID // the sender's
	number  string
	alias   string
	readTo  int64 // the greatest of the receivers' marks: message_deliver.go
	to      map[string]party
}

type party struct{ id, account uuid.UUID }

// partiesQuery finds the sender, the receivers and what stands between them in one statement: it runs for each send, in the
// transaction of the send, so it is written out.
const partiesQuery = `SELECT f.account_id, f.number, f.alias, f.disabled, t.number, t.id, t.account_id, t.disabled, t.read_to,
 EXISTS (SELECT 1 FROM blocks b WHERE b.account_id = t.account_id AND b.number = f.number)
 FROM numbers f LEFT JOIN numbers t ON t.number IN (%s) WHERE f.id = %s`

// parties finds who sends and who receives, and decides whether the one may send to the other.
func (s *Service) parties(ctx context.Context, db *ent.Client, a *Actor, l *letter) (*parties, error) {
	p := &parties{to: make(map[string]party, len(l.to))}
	query, args := s.partiesStatement(l)
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("find the numbers: %w", err)
	}
	defer rows.Close()
	found, refused := false, (*Error)(nil)
	var fromOff, blocked bool
	var to stdsql.NullString // all of the receiver is null where there is none
	var id, account uuid.NullUUID
	var toOff stdsql.NullBool
	var readTo stdsql.NullInt64
	into := []any{&p.account, &p.number, &p.alias, &fromOff, &to, &id, &account, &toOff, &readTo, &blocked}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("find the numbers: %w", err)
		}
		found = true
		if a.Number != l.from && a.AccountID != p.account {
			return nil, noSender()
		}
		switch {
		case fromOff:
			return nil, &Error{Code: Forbidden, Reason: ReasonDisabled, Field: "from", Text: "the sending number is switched off"}
		case !to.Valid:
			continue
		case toOff.Bool:
			refused = &Error{Code: Forbidden, Reason: ReasonDisabled, Field: "to", Text: "a receiving number is switched off"}
		case blocked:
			refused = &Error{Code: Forbidden, Reason: ReasonBlocked, Field: "to", Text: "a receiver refuses messages from this number"}
		}
		p.to[to.String] = party{id.UUID, account.UUID}
		p.readTo = max(p.readTo, readTo.Int64)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find the numbers: %w", err)
	}
	if !found {
		return nil, noSender()
	}
	for _, to := range l.to {
		if _, ok := p.to[to]; !ok {
			return nil, notFound("to", "a receiver is no number here")
		}
	}
	if refused != nil {
		return nil, refused
	}
	return p, nil
}

func noSender() error { return notFound("from", "there is no such number") }

func (s *Service) partiesStatement(l *letter) (string, []any) {
	if s.store.Dialect() == "sqlite3" && len(l.to) == 1 {
		return partiesOfOne, []any{l.to[0], &l.from}
	}
	args := make([]any, 0, len(l.to)+1)
	marks := make([]string, 0, len(l.to)+1)
	add := func(v any) {
		args = append(args, v)
		if s.store.Dialect() == "sqlite3" {
			marks = append(marks, "?")
		} else {
			marks = append(marks, "$"+strconv.Itoa(len(args)))
		}
	}
	for _, to := range l.to {
		add(to)
	}
	add(l.from)
	last := len(marks) - 1
	return fmt.Sprintf(partiesQuery, strings.Join(marks[:last], ","), marks[last]), args
}

var partiesOfOne = fmt.Sprintf(partiesQuery, "?", "?")
