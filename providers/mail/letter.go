package mail

import (
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"

	"switchboard/comms/mail"
)

// writer makes letters.
type writer struct{ from *netmail.Address }

// write is the letter as it goes out (RFC 5322). Sent again it is the same, so that whoever gets it twice can tell.
func (w writer) write(to io.Writer, e mail.Envelope) error {
	encoding := encodingOf(e.Text)
	domain := w.from.Address[strings.LastIndexByte(w.from.Address, '@')+1:]
	_, err := io.WriteString(to, strings.Join([]string{
		"Date: " + e.Written.Time().UTC().Format(time.RFC1123Z),
		"Message-ID: <" + e.ID.String() + "@" + domain + ">",
		"From: " + w.from.String(),
		"To: " + (&netmail.Address{Address: e.To}).String(),
		"Subject: " + mime.QEncoding.Encode("utf-8", e.Subject),
		"Auto-Submitted: auto-generated", // RFC 3834, section 5: nobody's holiday answers it
		"MIME-Version: 1.0",
		"Content-Type: text/plain; charset=utf-8",
		"Content-Transfer-Encoding: " + encoding,
		"", ""}, "\r\n"))
	if err != nil {
		return fmt.Errorf("write a letter: %w", err)
	}
	text := strings.ReplaceAll(e.Text, "\n", "\r\n")
	if encoding == plain {
		_, err = io.WriteString(to, text)
		return err
	}
	q := quotedprintable.NewWriter(to)
	if _, err := io.WriteString(q, text); err != nil {
		return err
	}
	return q.Close()
}

const (
	// plain is the encoding of text that travels as it is.
	plain = "7bit"
	// longestLine is that of a letter's text (RFC 5322, section 2.1.1).
	longestLine = 998
)

// encodingOf leaves text alone that can travel as it is: a link that is broken for the journey is mended by mail programs, not by people who
// read the file.
func encodingOf(text string) string {
	for line := range strings.Lines(text) {
		if len(line) > longestLine || strings.ContainsFunc(line, func(r rune) bool { return r > unicode.MaxASCII }) {
			return "quoted-printable"
		}
	}
	return plain
}

// masked is a text of somebody else's as it may be logged: without the address, on one line, and not too long.
func masked(text, address string) string {
	text = strings.ReplaceAll(text, address, mail.Shortened(address))
	text = strings.Join(strings.FieldsFunc(text, unicode.IsControl), " ")
	if r := []rune(text); len(r) > 200 {
		text = string(r[:200]) + "..."
	}
	return text
}
