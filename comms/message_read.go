package comms

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"strings"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/ent/message"
	"switchboard/internal/clock"
)

// A page of messages is the hottest thing that is read, and every column of every row costs before anybody looks at it. So a list has a
// statement of its own: only what a list shows, scanned straight into the messages. The other side's account and number are left
// out (they are nobody's business here), and so is DataID.
var (
	receivedColumns = listColumns("1", message.FieldToNumberID)
	sentColumns     = listColumns("0", message.FieldFromNumberID)
)

// listColumns are the columns of one side: whether the account received it, and which of its own numbers it was.
func listColumns(received, own string) string {
	return strings.Join([]string{received, own, message.FieldID, message.FieldFromNumber, message.FieldFromName, message.FieldToNumber,
		message.FieldKind, message.FieldText, message.FieldContent, message.FieldLength, message.FieldFileName, message.FieldCreatedAt,
		message.FieldDeliveredAt}, ", ")
}

// statement reads the window in one go. Of two sides it makes a union that both databases merge as they walk the two indexes: an OR
// would have them read and sort all that the account ever sent or received.
func (q *messageSearch) statement(dialect string, w window) (string, []any) {
	var all *sql.Selector
	for i, side := range q.sides {
		columns := sentColumns
		if side.received {
			columns = receivedColumns
		}
		one := sql.Dialect(dialect).SelectExpr(sql.Raw(columns)).From(sql.Table(message.Table))
		sql.AndPredicates(side.where...)(one)
		if i > 0 { // what the account sent to itself is on the first side already
			sql.NotPredicates(q.sides[0].where...)(one)
		}
		w.where(one)
		if all == nil {
			all = one
		} else {
			all.UnionAll(one)
		}
	}
	order := sql.Asc
	if w.down {
		order = sql.Desc
	}
	return all.OrderBy(order(message.FieldID)).Limit(w.limit).Query()
}

func (s *Service) readMessages(ctx context.Context, account uuid.UUID, q *messageSearch, w window) ([]*Message, error) {
	query, args := q.statement(s.store.Dialect(), w)
	rows, err := s.store.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	defer rows.Close()
	// One slab for the page: who keeps one message keeps them all, which no reader of lists does.
	slab := make([]Message, 0, w.limit)
	out := make([]*Message, 0, w.limit)
	var text stdsql.RawBytes
	var content, file stdsql.NullString
	var delivered stdsql.NullInt64
	var received bool
	var own uuid.UUID
	m := new(Message)
	into := []any{&received, &own, &m.ID, &m.FromNumber, &m.FromName, &m.ToNumber, (*string)(&m.Kind), &text, &content, &m.Length, &file,
		(*int64)(&m.CreatedAt), &delivered}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("read messages: %w", err)
		}
		m.Text, m.Content, m.FileName, m.DeliveredAt = string(text), content.String, file.String, nil
		if delivered.Valid {
			at := clock.Micros(delivered.Int64)
			m.DeliveredAt = &at
		}
		m.ToAccount, m.ToNumberID, m.FromAccount, m.FromNumberID = uuid.Nil, uuid.Nil, account, own
		if received {
			m.ToAccount, m.ToNumberID, m.FromAccount, m.FromNumberID = account, own, uuid.Nil, uuid.Nil
		}
		slab = append(slab, *m)
		out = append(out, &slab[len(slab)-1])
	}
	return out, rows.Err()
}
