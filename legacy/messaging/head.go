package messaging

// field is a member that the document names. Others are passed over (chosen): a newer client may send more than this server knows.
type field uint8

const (
	fieldReq field = iota
	fieldUUID
	fieldCallee
	fieldCallees
	fieldLength
	fieldCallerName
	fieldFname
	fieldAfter
	fieldURI
	fieldAppID
	fieldBuild
	fieldName
	fieldLocale
	fieldToken
	fieldCount
)

// names are the fields on the wire. How long a text may be is not asked here: comms refuses what is not, before it looks for a number.
var names = [fieldCount]string{
	fieldReq: "req", fieldUUID: "uuid", fieldCallee: "callee", fieldCallees: "callees", fieldLength: "length",
	fieldCallerName: "caller_name", fieldFname: "fname", fieldAfter: "after", fieldURI: "uri",
	fieldAppID: "appid", fieldBuild: "build", fieldName: "name", fieldLocale: "locale", fieldToken: "token",
}

func (f field) String() string { return names[f] }

func fieldNamed(name []byte) (field, bool) {
	for f := range names {
		if string(name) == names[f] {
			return field(f), true
		}
	}
	return 0, false
}

// head is the JSON of one request. Its getters are asked in turn, and the first fault that one of them finds stays in err.
type head struct {
	b      []byte
	fields [fieldCount]value
	err    error
}

// read takes the JSON object apart that b is. b must stay as it is while the head is used.
func (h *head) read(b []byte) error {
	*h = head{b: b}
	s := scanner{b: b}
	if !s.take('{') {
		return formatFault("the body does not begin with a JSON object")
	}
	for more := !s.take('}'); more; {
		k, ok := s.key()
		if !ok {
			return formatFault("the JSON is not well-formed")
		}
		v, ok := s.value(1)
		if !ok {
			return formatFault("the JSON is not well-formed")
		}
		if err := h.put(k, v); err != nil {
			return err
		}
		if more = s.take(','); !more && !s.take('}') {
			return formatFault("the JSON is not well-formed")
		}
	}
	if s.space(); s.i < len(b) {
		return formatFault("something other than a zero byte follows the JSON")
	}
	return nil
}

func (h *head) put(key, v value) error {
	f, known := fieldNamed(plain(h.b, key))
	if !known {
		return nil
	}
	if h.fields[f].kind != absent {
		return formatFault(f.String() + " is there twice")
	}
	h.fields[f] = v
	return nil
}

// fault keeps the first fault.
func (h *head) fault(f field, why string) {
	if h.err == nil {
		h.err = formatFault(f.String() + " " + why)
	}
}

// has tells whether the field is there. null is something, and of the wrong type for every field (chosen).
func (h *head) has(f field) bool { return h.fields[f].kind != absent }

// bytes is a string that must be there. It may share the head's memory.
func (h *head) bytes(f field) []byte {
	v := h.fields[f]
	switch v.kind {
	case text:
		return plain(h.b, v)
	case absent:
		h.fault(f, "is missing")
	default:
		h.fault(f, "is not a string")
	}
	return nil
}

// text is a string that must be there, to be kept.
func (h *head) text(f field) string { return string(h.bytes(f)) }

// optional is a string that may be left out, but not be empty: to comms the two are one.
func (h *head) optional(f field) string {
	if !h.has(f) {
		return ""
	}
	s := h.text(f)
	if s == "" {
		h.fault(f, "is empty")
	}
	return s
}

// integer is a whole number that must be there.
func (h *head) integer(f field) int64 {
	v := h.fields[f]
	if v.kind == absent {
		h.fault(f, "is missing")
		return 0
	}
	n, ok := int64(0), false
	if v.kind == number {
		n, ok = whole(h.b, v)
	}
	if !ok {
		h.fault(f, "is not an integer")
	}
	return n
}

// texts is an array of strings that must be there; least is how many it must hold.
func (h *head) texts(f field, least int) []string {
	v := h.fields[f]
	switch {
	case v.kind == absent:
		h.fault(f, "is missing")
		return nil
	case v.kind != array:
		h.fault(f, "is not an array")
		return nil
	}
	var out []string
	s := scanner{b: h.b, i: v.start + 1}
	for !s.take(']') {
		e, _ := s.value(maxDepth) // the scanner let the array pass, so all of it is good
		if e.kind != text {
			h.fault(f, "holds what is not a string")
			return nil
		}
		out = append(out, string(plain(h.b, e)))
		s.take(',')
	}
	if len(out) < least {
		h.fault(f, "is empty")
	}
	return out
}
