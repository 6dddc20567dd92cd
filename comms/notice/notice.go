package notice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"switchboard/comms"
	"switchboard/ent/message"
)

const (
	mostSaid   = 16 << 10 // bytes of a text that are said in a room: an event of Matrix has at most 64 KiB, and JSON may double it
	mostPushed = 240      // the same in a notification: services take 4096 bytes, JSON may make six of one, and FCM has it twice
)

// said is what is said of a message in the owner's room. alias is what he calls the number, where he does.
func (s *Service) said(ctx context.Context, m *comms.Message, alias string) (string, error) {
	parties := "from " + party(m.FromName, m.FromNumber) + " for " + party(alias, m.ToNumber)
	switch m.Kind {
	case message.KindMissedCall:
		return "Missed call " + parties + ", " + m.CreatedAt.Time().UTC().Format("2006-01-02 15:04 UTC"), nil
	case message.KindFile:
		return "File " + parties + ": " + printable(m.FileName) + ", " + size(m.Length), nil
	}
	text, err := s.text(ctx, m, mostSaid)
	return "Message " + parties + ":\n" + text, err
}

// notification is what a device is told of a message. Where the operator does not allow more it is only that there is something, and for which
// number, and not all of that.
func (s *Service) notification(ctx context.Context, m *comms.Message) (n Notification, err error) {
	n = Notification{ID: strconv.FormatInt(m.ID, 10), Kind: "message", Number: masked(m.ToNumber), Title: "New message", Body: "For " + masked(m.ToNumber)}
	switch m.Kind {
	case message.KindMissedCall:
		n.Kind, n.Title = "missed.call", "Missed call"
	case message.KindFile:
		n.Kind, n.Title = "file", "New file"
	}
	if !s.Text {
		return n, nil
	}
	n.Title += " from " + party(m.FromName, m.FromNumber)
	switch m.Kind {
	case message.KindFile:
		n.Body = cut(printable(m.FileName), mostPushed) + ", " + size(m.Length)
	case message.KindText:
		n.Body, err = s.text(ctx, m, mostPushed)
		n.Body = printable(n.Body)
	}
	return n, err
}

// text is the beginning of a message's text.
func (s *Service) text(ctx context.Context, m *comms.Message, most int) (_ string, err error) {
	d, err := s.in.OpenMessage(ctx, m)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.Reader.Close()) }()
	b, err := io.ReadAll(io.LimitReader(d.Reader, int64(most)+utf8.UTFMax))
	if err != nil {
		return "", fmt.Errorf("read a message: %w", err)
	}
	whole := sound(cut(string(b), most))
	text := cut(whole, most)
	if len(text) < len(whole) || int64(len(b)) < m.Length || len(b) > most {
		text += "… (" + size(m.Length) + " in all)"
	}
	return text, nil
}

// sound is a text without the characters that are none. Not every homeserver can store U+0000, and all of them take six bytes in JSON: a
// message of nothing else would be refused, and the room with it.
func sound(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// cut is the text up to so many bytes, and no half of a character.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// party is who is on one side.
func party(name, number string) string {
	switch {
	case number == "" && name == "":
		return "a withheld number"
	case name == "":
		return number
	}
	return printable(name) + " (" + number + ")"
}

// printable is a name that somebody chose, on one line.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
}

// masked shows enough of a number for its owner to know it.
func masked(number string) string {
	if len(number) <= 6 {
		return "…"
	}
	return number[:3] + "…" + number[len(number)-3:]
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<20:
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
	case n >= 1<<10:
		return strconv.FormatFloat(float64(n)/(1<<10), 'f', 1, 64) + " KiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
