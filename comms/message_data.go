package comms

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/message"
	"switchboard/internal/clock"
)

// Data is the text or file of a message, to be read and closed.
type Data struct {
	Reader   io.ReadSeekCloser
	Size     int64
	FileName string // empty: it is a text
	At       clock.Micros
	Hash     string // empty: it is short
}

// OpenData asks for a message's data as the messaging API does: by the id of a number that sent or received it.
type OpenData struct {
	Number uuid.UUID
	DataID int64
}

// idSlack is how far apart in time the ids of one send can lie, and how far an id can lie behind the time that it carries when the
// counter ran over.
const idSlack = time.Minute

// OpenData opens the data that a number sent or received.
func (s *Service) OpenData(ctx context.Context, in OpenData) (*Data, error) {
	n, err := s.numberOf(ctx, "uuid", in.Number)
	if err != nil {
		return nil, err
	}
	// All messages of one send carry the id of its first as data id, and their own ids follow it: the owner's index finds them.
	m, err := s.store.Read().Message.Query().Where(
		message.IDGTE(in.DataID), message.IDLT(in.DataID+idSlack.Milliseconds()<<idTime), message.DataID(in.DataID),
		message.Or(
			message.And(message.ToAccount(n.AccountID), message.ToNumberID(n.ID)),
			message.And(message.FromAccount(n.AccountID), message.FromNumberID(n.ID)),
		)).Order(message.ByID()).First(ctx)
	if ent.IsNotFound(err) || err == nil && m.Kind == message.KindMissedCall {
		return nil, notFound("uri", "there is no such data")
	}
	if err != nil {
		return nil, fmt.Errorf("find the message: %w", err)
	}
	return s.openMessage(ctx, m)
}

func (s *Service) openMessage(ctx context.Context, m *Message) (*Data, error) {
	d := &Data{Size: m.Length, FileName: m.FileName, At: m.CreatedAt, Hash: m.Content}
	if m.Content == "" {
		d.Reader = stringCloser{strings.NewReader(m.Text)}
		return d, nil
	}
	var err error
	if d.Reader, err = s.contents.Open(ctx, m.Content); err != nil {
		return nil, fmt.Errorf("open the data: %w", err)
	}
	return d, nil
}

type stringCloser struct{ *strings.Reader }

func (stringCloser) Close() error { return nil }

// InlineText is the text of a message that is short enough to be shown in lists; false: its data must be fetched, or there is none.
func InlineText(m *Message) (string, bool) {
	return m.Text, m.Kind == message.KindText && m.Content == ""
}

// FileLink is a path under which anybody can fetch the message's data until it expires. Whoever has seen the message may pass it on.
func (s *Service) FileLink(m *Message) (path string, expires clock.Micros) {
	// The end is rounded up to a whole minute, so that a page that is loaded twice has the same link and caches hit.
	minute := int64(time.Minute / time.Second)
	end := (clock.Now().Add(s.limits.LinkTTL).Unix() + minute - 1) / minute * minute
	id, exp := strconv.FormatInt(m.ID, 10), strconv.FormatInt(end, 10)
	return "/files/" + id + "?expires=" + exp + "&signature=" + s.signLink(id, exp), clock.Micros(end * 1e6)
}

func (s *Service) signLink(id, expires string) string {
	return base64.RawURLEncoding.EncodeToString(s.keys.link("file", id, expires))
}

// OpenLink opens the data that a link of FileLink names.
func (s *Service) OpenLink(ctx context.Context, id string, query url.Values) (*Data, error) {
	exp := query.Get("expires")
	if subtle.ConstantTimeCompare([]byte(s.signLink(id, exp)), []byte(query.Get("signature"))) != 1 {
		return nil, notFound("signature", "there is no such file")
	}
	end, err := strconv.ParseInt(exp, 10, 64)
	if err != nil || clock.Now().Unix() >= end {
		return nil, &Error{Code: NotFound, Field: "expires", Reason: ReasonLinkExpired, Text: "the link has expired"}
	}
	n, err := ParseMessageID(id)
	if err != nil {
		return nil, err
	}
	m, err := s.store.Read().Message.Get(ctx, n)
	if ent.IsNotFound(err) {
		return nil, notFound("id", "there is no such file")
	}
	if err != nil {
		return nil, fmt.Errorf("find the message: %w", err)
	}
	return s.openMessage(ctx, m)
}
