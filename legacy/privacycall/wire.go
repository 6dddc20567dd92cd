package privacycall

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	// maxBody bounds bodies: the document's have some 300 bytes (chosen).
	maxBody = 64 << 10
)

// answer is every answer of this API.
type answer struct {
	Flag           int    `json:"Flag"`
	Msg            string `json:"Msg"`
	CallIdentifier string `json:"CallIdentifier,omitempty"`
}

// encode writes JSON as the document shows it: < > & as they are, for a link is in it.
func encode(out *answer) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// object is a JSON object whose members are read by their exact names (documented: names are case-sensitive).
type object struct{ members map[string]json.RawMessage }

// readBody reads the request's JSON object. Its Content-Type is not looked at.
func readBody(w http.ResponseWriter, r *http.Request) (*object, error) {
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge
		}
		return nil, badBody("the body could not be read")
	}
	return parseObject(b)
}

// parseObject reads exactly one object. A name that stands twice is refused: what one program reads then differs from what another does (RFC
// 8259, section 4), and what was signed names one account.
func parseObject(b []byte) (*object, error) {
	bad := badBody("the body is not one JSON object in UTF-8")
	if !utf8.Valid(b) {
		return nil, bad
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, bad
	}
	o := &object{members: map[string]json.RawMessage{}}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, bad
		}
		if _, twice := o.members[name]; twice {
			return nil, badBody("a name stands twice in the JSON object")
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, bad
		}
		o.members[name] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, bad
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, bad
	}
	return o, nil
}

// text is a member's value, a string or a number (contract), without the blanks around it; empty where there is none or it is null. What is
// neither stays as it stands, which no value of this API looks like.
func (o *object) text(name string) string {
	raw := strings.TrimSpace(string(o.members[name]))
	if raw == "null" {
		return ""
	}
	var s string
	if json.Unmarshal([]byte(raw), &s) == nil {
		return strings.TrimSpace(s)
	}
	return raw
}
