package comms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"entgo.io/ent/dialect/sql/sqlgraph"
	"github.com/google/uuid"

	"switchboard/ent/message"
)

// SendMessage asks to send one text or file to one or many numbers.
type SendMessage struct {
	From       uuid.UUID
	To         []string // one message for each, also for one that stands here twice
	Text       string
	Data       io.Reader // instead of Text
	Length     int64     // bytes that Data must have; -1: as many as come
	FileName   string    // 2 to 100 characters; empty: the data is UTF-8 text
	CallerName string    // 2 to 32 characters; empty: the number's alias

	IdempotencyKey string
}

// Sent is what came of it: a message for each receiver, in the order asked.
type Sent struct {
	Messages []*Message
	Replayed bool
}

// inlineText is the size up to which a text is kept in its row and shown in lists.
const inlineText = 4096

// letter is a message ready to be written: everything about it that needs no look at the store.
type letter struct {
	from     uuid.UUID
	to       []string
	name     string
	kind     message.Kind
	text     string // where the data is not in staged
	staged   Staged
	length   int64
	fileName string
}

func (l *letter) discard() {
	if l.staged != nil {
		l.staged.Discard()
	}
}

// SendMessage stores a message for each receiver, or none: one that can't be reached, or refuses the sender, fails the whole.
func (s *Service) SendMessage(ctx context.Context, in SendMessage) (*Sent, error) {
	a, err := messenger(ctx, SendMessages)
	if err != nil {
		return nil, err
	}
	l, err := s.compose(ctx, in)
	if err != nil {
		return nil, err
	}
	defer l.discard()
	if l.staged != nil {
		if err := s.keepData(ctx, a, l, in.IdempotencyKey); err != nil {
			return nil, err
		}
	}
	sent, err := s.sendOnce(ctx, a, l, in.IdempotencyKey)
	for try := 0; try < 3 && errors.Is(err, errIDTaken); try++ {
		s.ids.draw()
		sent, err = s.sendOnce(ctx, a, l, in.IdempotencyKey)
	}
	return sent, err
}

// keepData keeps data only for a message that can be sent, or that was under the same key.
func (s *Service) keepData(ctx context.Context, a *Actor, l *letter, key string) error {
	if _, refusal := s.parties(ctx, s.store.Read(), a, l); refusal != nil {
		if known, err := s.remembers(ctx, l.onceKey(a, key)); err != nil || !known {
			return errors.Join(refusal, err)
		}
	}
	if err := l.staged.Keep(ctx); err != nil {
		return fmt.Errorf("keep the data: %w", err)
	}
	return nil
}

func (s *Service) sendOnce(ctx context.Context, a *Actor, l *letter, key string) (*Sent, error) {
	out := &Sent{}
	var ids []int64
	var err error
	out.Replayed, err = s.once(ctx, l.onceKey(a, key), &ids, func(ctx context.Context, c *change) error {
		c.prompt = true
		p, err := s.parties(ctx, c.tx, a, l)
		if err != nil {
			return err
		}
		if out.Messages, err = s.post(ctx, c, l, p); err != nil {
			return err
		}
		ids = ids[:0]
		for _, m := range out.Messages {
			ids = append(ids, m.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if out.Replayed {
		out.Messages, err = s.messagesInOrder(ctx, ids)
	}
	return out, err
}

// messenger is who may use the message verbs: an account's actor with the scope, or somebody who showed a number's id.
func messenger(ctx context.Context, scope Scope) (*Actor, error) {
	if a := ActorOf(ctx); a != nil && a.Number != uuid.Nil && a.May(scope) {
		return a, nil
	}
	return demand(ctx, scope)
}

func (l *letter) onceKey(a *Actor, key string) onceKey {
	if key == "" {
		return onceKey{}
	}
	scope := a.AccountID.String()
	if a.Number != uuid.Nil {
		scope = "number:" + a.Number.String()
	}
	data := ""
	if l.staged != nil {
		data = l.staged.Hash()
	}
	return onceKey{Scope: scope, Key: key, Verb: "sendMessage",
		Request: []any{l.from, l.to, l.name, l.kind, l.text, data, l.fileName}}
}

// compose normalises what is to be sent and reads its data to the end, before anything is stored.
func (s *Service) compose(ctx context.Context, in SendMessage) (*letter, error) {
	l := &letter{from: in.From, name: in.CallerName, kind: message.KindText, fileName: in.FileName}
	if err := checkName("callerName", in.CallerName, 32); err != nil {
		return nil, err
	}
	if err := checkName("fileName", in.FileName, 100); err != nil {
		return nil, err
	}
	if len(in.To) == 0 {
		return nil, invalid("to", "at least one receiver is needed")
	}
	if len(in.To) > s.limits.Receivers {
		return nil, invalid("to", "at most %d receivers", s.limits.Receivers)
	}
	l.to = make([]string, len(in.To))
	for i, to := range in.To {
		var err error
		if l.to[i], err = canonical("to", to); err != nil {
			return nil, err
		}
	}
	if in.FileName != "" {
		l.kind = message.KindFile
	}
	if in.Data == nil {
		return l, s.composeText(ctx, l, in.Text)
	}
	return l, s.composeData(ctx, l, in)
}

func (s *Service) composeText(ctx context.Context, l *letter, text string) error {
	if !utf8.ValidString(text) {
		return invalid("text", "the text is not UTF-8")
	}
	if len(text) > inlineText || l.kind == message.KindFile {
		return s.stage(ctx, l, strings.NewReader(text), int64(len(text)))
	}
	l.text, l.length = text, int64(len(text))
	return nil
}

func (s *Service) composeData(ctx context.Context, l *letter, in SendMessage) error {
	if in.Length > s.limits.Data {
		return &Error{Code: Invalid, Field: "length", Reason: ReasonTooLarge, Text: fmt.Sprintf("at most %d bytes", s.limits.Data)}
	}
	if l.kind == message.KindFile || in.Length < 0 || in.Length > inlineText {
		return s.stage(ctx, l, in.Data, in.Length)
	}
	b := make([]byte, in.Length+1) // one more, to see whether more comes
	n, err := io.ReadFull(in.Data, b)
	switch {
	case err == nil || int64(n) != in.Length && errors.Is(err, io.ErrUnexpectedEOF) || in.Length > 0 && errors.Is(err, io.EOF):
		return wrongLength()
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		return fmt.Errorf("read the data: %w", err)
	case !utf8.Valid(b[:n]):
		return invalid("text", "the text is not UTF-8")
	}
	l.text, l.length = string(b[:n]), int64(n)
	return nil
}

func wrongLength() error { return invalid("length", "length is not the number of bytes that follow") }

// stage reads data that does not go into the row; want is its length, -1: any.
func (s *Service) stage(ctx context.Context, l *letter, r io.Reader, want int64) error {
	check := &utf8Reader{r: r, skip: l.kind == message.KindFile}
	staged, err := s.contents.Stage(ctx, check, s.limits.Data)
	if err != nil {
		return err
	}
	l.staged, l.length = staged, staged.Size()
	switch {
	case want >= 0 && l.length != want:
		err = wrongLength()
	case !check.valid():
		err = invalid("text", "the text is not UTF-8")
	}
	if err != nil {
		l.discard()
	}
	return err
}

// utf8Reader notes whether all that is read through it is UTF-8, across the borders of reads.
type utf8Reader struct {
	r    io.Reader
	skip bool
	bad  bool
	tail []byte // an unfinished character
}

func (u *utf8Reader) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if u.skip || u.bad || n == 0 {
		return n, err
	}
	b := p[:n]
	if len(u.tail) > 0 {
		b = append(u.tail, b...)
	}
	cut := len(b)
	for i := 1; i <= min(utf8.UTFMax-1, len(b)); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				cut = len(b) - i
			}
			break
		}
	}
	u.bad = !utf8.Valid(b[:cut])
	u.tail = append([]byte(nil), b[cut:]...)
	return n, err
}

func (u *utf8Reader) valid() bool { return u.skip || !u.bad && len(u.tail) == 0 }

// checkName refuses a display name or file name of a wrong length, or with characters that are no text. Empty means none was given.
func checkName(field, s string, most int) error {
	if s == "" {
		return nil
	}
	if n := utf8.RuneCountInString(s); n < 2 || n > most {
		return invalid(field, "2 to %d characters", most)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return invalid(field, "control characters are not allowed")
	}
	return nil
}

// post writes the messages and tells both sides.
func (s *Service) post(ctx context.Context, c *change, l *letter, p *parties) ([]*Message, error) {
	s.ids.pass(p.readTo)
	ids := s.ids.next(c.now, len(l.to))
	name := l.name
	if name == "" {
		name = p.alias
	}
	hash := ""
	if l.staged != nil {
		hash = l.staged.Hash()
	}
	out := make([]*Message, len(l.to))
	for i, to := range l.to {
		t := p.to[to]
		out[i] = &Message{ID: ids[i], DataID: ids[0], Kind: l.kind, Text: l.text, Content: hash, Length: l.length, FileName: l.fileName,
			CreatedAt: c.now, FromAccount: p.account, FromNumberID: l.from, FromNumber: p.number, FromName: name,
			ToAccount: t.account, ToNumberID: t.id, ToNumber: to}
	}
	if err := s.saveMessages(ctx, c, out); err != nil {
		return nil, err
	}
	for _, m := range out {
		c.tell(messageEvent(MessageSent, m, m.FromAccount))
		c.tell(messageEvent(MessageReceived, m, m.ToAccount))
	}
	return out, nil
}

// errIDTaken says that another process drew the same message id: the transaction is lost, and made again with another.
var errIDTaken = errors.New("the message's id is taken")

var messageInsert = insert{table: message.Table, columns: []string{message.FieldID, message.FieldDataID, message.FieldKind, message.FieldText,
	message.FieldContent, message.FieldLength, message.FieldFileName, message.FieldCreatedAt, message.FieldFromAccount,
	message.FieldFromNumberID, message.FieldFromNumber, message.FieldFromName, message.FieldToAccount, message.FieldToNumberID, message.FieldToNumber}}

func (s *Service) saveMessages(ctx context.Context, c *change, messages []*Message) error {
	for chunk := range slices.Chunk(messages, rowsAtOnce) {
		args := make([]any, 0, len(chunk)*len(messageInsert.columns))
		for _, m := range chunk {
			args = append(args, m.ID, m.DataID, string(m.Kind), []byte(m.Text), m.Content, m.Length, m.FileName, int64(m.CreatedAt), &m.FromAccount,
				&m.FromNumberID, m.FromNumber, m.FromName, &m.ToAccount, &m.ToNumberID, m.ToNumber)
		}
		_, err := c.tx.ExecContext(ctx, messageInsert.statement(len(chunk), s.store.Dialect()), args...)
		if sqlgraph.IsUniqueConstraintError(err) {
			return fmt.Errorf("%w: %w", errIDTaken, err)
		}
		if err != nil {
			return fmt.Errorf("store the message: %w", err)
		}
	}
	return nil
}

// messageEvent is the event for one side.
func messageEvent(kind Kind, m *Message, account uuid.UUID) *Event {
	e := &Event{Kind: kind, AccountID: account, NumberID: m.ToNumberID, Message: m}
	if kind == MessageSent || account != m.ToAccount {
		e.NumberID = m.FromNumberID
	}
	return e
}
