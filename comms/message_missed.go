package comms

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"switchboard/ent/message"
)

// MissedCall leaves a notice with a number that somebody called whom nobody answered: a message without text, which comes with the record
// of the call or not at all. Nobody sent it: it is in no other list than the receiver's, whosever number called. from is empty where the
// caller withheld his. The number is one of ours; the caller of this holds the lock of its account.
func (i Inside) MissedCall(ctx context.Context, c *Change, number uuid.UUID, from string) error {
	s := i.s
	to, err := c.tx.Number.Get(ctx, number)
	if err != nil {
		return fmt.Errorf("find whom a missed call was for: %w", err)
	}
	s.ids.pass(to.ReadTo)
	id := s.ids.next(c.now, 1)[0]
	m := &Message{ID: id, DataID: id, Kind: message.KindMissedCall, CreatedAt: c.now, FromNumber: from, ToAccount: to.AccountID,
		ToNumberID: to.ID, ToNumber: to.Number}
	if err := s.saveMessages(ctx, c, []*Message{m}); err != nil {
		if errors.Is(err, errIDTaken) {
			s.ids.draw()
		}
		return err
	}
	c.tell(messageEvent(MessageReceived, m, m.ToAccount))
	return nil
}

// TakenMessageID tells that a change failed because another process drew the same message id at that moment: made again, it succeeds.
func TakenMessageID(err error) bool { return errors.Is(err, errIDTaken) }
