package opencloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"switchboard/comms"
)

const (
	// maxBody bounds JSON bodies and frames (contract: 1 MiB, chosen).
	maxBody = 1 << 20
)

type errorBody struct {
	Error string `json:"error"`
}

type successBody struct {
	Success bool `json:"success"`
}

// numberRow is a number as the document shows it.
type numberRow struct {
	ID        uuid.UUID `json:"id"`
	Number    string    `json:"number"`
	Alias     string    `json:"alias"`
	CreatedAt int64     `json:"created_at"`
}

func rowOf(n *comms.Number) numberRow {
	return numberRow{ID: n.ID, Number: n.Number, Alias: n.Alias, CreatedAt: n.CreatedAt.Milli()}
}

// encode writes JSON as the document shows it: < > & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// readBody reads the request's JSON object.
func readBody(w http.ResponseWriter, r *http.Request) (*object, error) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, &refusal{http.StatusUnsupportedMediaType, "the body must be application/json in UTF-8"}
	}
	tooLarge := &refusal{http.StatusRequestEntityTooLarge, "the body must have at most 1 MiB"}
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

func isJSON(contentType string) bool {
	media, params, err := mime.ParseMediaType(contentType)
	charset := params["charset"]
	return err == nil && media == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
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
	return o.optional(name)
}

// optional is a string that may be absent or null.
func (o *object) optional(name string) string {
	var s string
	if !o.absent(name) && json.Unmarshal(o.members[name], &s) != nil {
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

// pathID is the id in the path. What is no UUID is nobody's number (contract: 404), in any other spelling than 8-4-4-4-12 too.
func pathID(r *http.Request) (uuid.UUID, error) {
	text := r.PathValue("id")
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return uuid.Nil, &comms.Error{Code: comms.NotFound, Text: "there is no such number"}
	}
	return id, nil
}
