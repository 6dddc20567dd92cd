package callrecords

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"switchboard/internal/clock"
)

const (
	// maxBody bounds JSON bodies: the document's have some 60 bytes (chosen).
	maxBody = 64 << 10
)

// shown is a number as this API writes it: 0033... (documented). What is no telephone number stays as the carrier wrote it.
func shown(number string) string {
	if digits, ok := strings.CutPrefix(number, "+"); ok {
		return "00" + digits
	}
	return number
}

// instant is a time as this API writes it: ISO 8601, UTC, milliseconds (documented of expireAt).
func instant(t clock.Micros) string { return t.Time().UTC().Format("2006-01-02T15:04:05.000Z") }

// encode writes an answer: a page, or JSON as the document shows it, < > & as they are. An answer that says more than its body sets its headers.
func encode(h http.Header, out any) (b []byte, contentType string, err error) {
	if p, ok := out.(page); ok {
		p.head(h)
		return p.html(), "text/html; charset=utf-8", nil
	}
	if c, ok := out.(counted); ok {
		h.Set("X-Total-Count", strconv.Itoa(c.total))
		out = c.rows
	}
	var to bytes.Buffer
	e := json.NewEncoder(&to)
	e.SetEscapeHTML(false)
	err = e.Encode(out)
	return bytes.TrimSuffix(to.Bytes(), []byte("\n")), "application/json", err
}

// readBody reads the request's JSON object, whatever its Content-Type says: the document's own fetch samples send none.
func readBody(w http.ResponseWriter, r *http.Request) (*object, error) {
	tooLarge := &refusal{http.StatusRequestEntityTooLarge, "the body must have at most 64 KiB"}
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge
		}
		return nil, badInput("the body could not be read")
	}
	return parseObject(b)
}

// object is a JSON object whose members are read by name. The first that is wrong is kept in err.
type object struct {
	members map[string]json.RawMessage
	err     error
}

// parseObject reads exactly one object. encoding/json alone would take names in any letter case and the last of two that are the same: what one
// program reads then differs from what another does (RFC 8259, section 4), so names are exact and must be unique. Members that nobody asks
// for are ignored. Nesting beyond 10,000 levels is an error of encoding/json.
func parseObject(b []byte) (*object, error) {
	if !utf8.Valid(b) {
		return nil, badInput("the JSON is not UTF-8")
	}
	notObject := badInput("a JSON object is expected")
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, notObject
	}
	o := &object{members: map[string]json.RawMessage{}}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, notObject
		}
		if _, twice := o.members[name]; twice {
			return nil, badInput("a name stands twice in the JSON object")
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, notObject
		}
		o.members[name] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, notObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, badInput("something follows the JSON object")
	}
	return o, nil
}

// text is a member that must be there and be a string.
func (o *object) text(name string) string {
	if o.absent(name) {
		o.fault(name, "is missing")
		return ""
	}
	var s string
	if json.Unmarshal(o.members[name], &s) != nil {
		o.fault(name, "must be a string")
	}
	return s
}

// integer is a member that must be there and be a whole number, written as one.
func (o *object) integer(name string) int {
	if o.absent(name) {
		o.fault(name, "is missing")
		return 0
	}
	n, err := strconv.Atoi(string(o.members[name]))
	if err != nil {
		o.fault(name, "must be an integer")
	}
	return n
}

func (o *object) absent(name string) bool {
	v := o.members[name]
	return v == nil || string(v) == "null"
}

func (o *object) fault(name, what string) {
	if o.err == nil {
		o.err = badInput(fmt.Sprintf("%s %s", name, what))
	}
}
