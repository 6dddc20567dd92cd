package sip

import "bytes"

// The headers that look reads. The rest is read where it matters, by the parser.
type header int

const (
	headOther header = iota
	headVia
	headFrom
	headTo
	headCallID
	headCSeq
	headContact
	headLength
	headForwards
	headAgent
	headProof
	headKind
	headOdd
)

// headers are their names and compact forms (RFC 3261 section 7.3.3), lower case.
var headers = map[string]header{
	"via": headVia, "v": headVia,
	"from": headFrom, "f": headFrom,
	"to": headTo, "t": headTo,
	"call-id": headCallID, "i": headCallID,
	"cseq":    headCSeq,
	"contact": headContact, "m": headContact,
	"content-length": headLength, "l": headLength,
	"max-forwards":  headForwards,
	"user-agent":    headAgent,
	"authorization": headProof, "proxy-authorization": headProof,
	"content-type": headKind, "c": headKind,
	"require": headOdd, "proxy-require": headOdd, "accept": headOdd, "content-encoding": headOdd, "e": headOdd,
}

func headerOf(name []byte) header {
	var lower [20]byte
	if len(name) > len(lower) {
		return headOther
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return headers[string(lower[:len(name)])]
}

// tokens marks the characters of a token (RFC 3261 section 25.1).
var tokens = func() (set [256]bool) {
	for c := '0'; c <= '9'; c++ {
		set[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		set[c], set[c-'a'+'A'] = true, true
	}
	for _, c := range "-.!%*_+`'~" {
		set[c] = true
	}
	return set
}()

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokens[c] {
			return false
		}
	}
	return len(b) > 0
}

// soundAddresses tells whether a From, To or Contact could be one: quotes and brackets close, what stands before a bracket is a display
// name, and nothing within the brackets is broken by space (RFC 4475 sections 3.1.2.6, 3.1.2.14, 3.1.2.15). A Contact may list several.
func soundAddresses(value []byte, list bool) bool {
	for first := true; first || len(value) > 0; first = false {
		rest, ok := soundAddress(value, list)
		if !ok {
			return false
		}
		value = rest
	}
	return true
}

// soundAddress reads one address with its parameters, and the comma after it.
func soundAddress(value []byte, list bool) (rest []byte, ok bool) {
	const blank = " \t\r\n"
	value = bytes.TrimLeft(value, blank)
	if len(value) == 0 {
		return nil, false
	}
	if value[0] == '"' {
		end := closing(value)
		if end < 0 {
			return nil, false
		}
		value = bytes.TrimLeft(value[end:], blank)
		if len(value) == 0 || value[0] != '<' {
			return nil, false
		}
	}
	open, end := bytes.IndexByte(value, '<'), bytes.IndexAny(value, ";,")
	if open >= 0 && (end < 0 || open < end) {
		for _, word := range bytes.FieldsFunc(value[:open], func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }) {
			if !isToken(word) && !isUTF8Name(word) {
				return nil, false
			}
		}
		inner, after, closes := bytes.Cut(value[open+1:], []byte(">"))
		if !closes || len(inner) == 0 || bytes.ContainsAny(inner, " \t\r\n<\"") {
			return nil, false
		}
		value = after
	} else {
		bare := value
		if end >= 0 {
			bare = value[:end]
		}
		bare = bytes.TrimRight(bare, blank)
		if len(bare) == 0 || bytes.ContainsAny(bare, " \t\r\n<>\"") {
			return nil, false
		}
		value = value[max(end, 0):]
		if end < 0 {
			value = nil
		}
	}
	return afterParameters(value, list)
}

// isUTF8Name lets display names of other scripts pass without quotes: not by the grammar, but sent, and harmless.
func isUTF8Name(word []byte) bool {
	for _, c := range word {
		if c < 0x80 && !tokens[c] {
			return false
		}
	}
	return true
}

// afterParameters skips the parameters of an address, up to the comma after which the next begins.
func afterParameters(value []byte, list bool) (rest []byte, ok bool) {
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			end := closing(value[i:])
			if end < 0 {
				return nil, false
			}
			i += end - 1
		case ',':
			if !list || len(bytes.TrimSpace(value[i+1:])) == 0 {
				return nil, false
			}
			return value[i+1:], true
		case '<', '>':
			return nil, false
		}
	}
	return nil, true
}

// closing is the place after the quoted string that value begins with; -1 where it does not close.
func closing(value []byte) int {
	for i := 1; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// soundVia tells whether each value of a Via has a protocol of three parts, a host, and parameters with names.
func soundVia(value []byte) bool {
	for one := range bytes.SplitSeq(value, []byte(",")) {
		name, rest, ok := bytes.Cut(one, []byte("/"))
		if !ok || !bytes.EqualFold(bytes.TrimSpace(name), []byte("SIP")) {
			return false
		}
		_, rest, ok = bytes.Cut(rest, []byte("/"))
		rest = bytes.TrimLeft(rest, " \t\r\n")
		at := bytes.IndexAny(rest, " \t\r\n")
		if !ok || at <= 0 {
			return false
		}
		host, params, some := bytes.Cut(rest[at:], []byte(";"))
		if len(bytes.TrimSpace(host)) == 0 {
			return false
		}
		for some {
			var p []byte
			if p, params, some = bytes.Cut(params, []byte(";")); len(bytes.TrimSpace(p)) == 0 {
				return false
			}
		}
	}
	return true
}

// parameter is the value of a parameter of an address or a Via, such as tag or branch: of the first value, were there several.
func parameter(value []byte, name string) (string, bool) {
	if at := bytes.LastIndexByte(value, '>'); at >= 0 {
		value = value[at+1:]
	}
	for {
		at := bytes.IndexByte(value, ';')
		if at < 0 {
			return "", false
		}
		value = value[at+1:]
		end := bytes.IndexAny(value, ";,")
		if end < 0 {
			end = len(value)
		}
		k, v, _ := bytes.Cut(value[:end], []byte("="))
		if bytes.EqualFold(bytes.TrimSpace(k), []byte(name)) {
			return string(bytes.TrimSpace(v)), true
		}
		if end < len(value) && value[end] == ',' {
			return "", false
		}
		value = value[end:]
	}
}
