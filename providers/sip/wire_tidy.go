package sip

import "bytes"

// untidy tells whether a header has space where the grammar allows it and sipgo v1.7.2 does not expect it: folded lines, and space around
// the marks that part it (RFC 4475 section 3.1.1.1). Hardly any telephone sends such, so looking must be cheap.
func untidy(value []byte) bool {
	if bytes.IndexByte(value, '\n') >= 0 {
		return true
	}
	for i, c := range value {
		if (c == ' ' || c == '\t') && (mark(value, i+1) || i > 0 && mark(value, i-1)) {
			return true
		}
	}
	return false
}

func mark(value []byte, at int) bool {
	return at < len(value) && (value[at] == ';' || value[at] == '=' || value[at] == '/')
}

// tidied is the message with its routing headers in one line each and without such space. The body stays.
func tidied(data []byte, v *sight) []byte {
	out := make([]byte, 0, len(data)+16)
	start, _, _ := cutLine(data)
	out = append(append(out, start...), "\r\n"...)
	for at := len(start) + 2; at < v.head; {
		line, rest, _ := cutHeader(data[at:])
		at = len(data) - len(rest)
		name, value, has := bytes.Cut(line, []byte(":"))
		if !has {
			break
		}
		name, value = bytes.TrimRight(name, " \t"), bytes.Trim(value, " \t\r\n")
		out = append(append(out, name...), ": "...)
		switch headerOf(name) {
		case headVia, headFrom, headTo, headContact:
			out = appendTight(out, value)
		default:
			out = appendOneLine(out, value)
		}
		out = append(out, "\r\n"...)
	}
	out = append(out, "\r\n"...)
	return append(out, data[v.head:]...)
}

// appendOneLine unfolds a value.
func appendOneLine(out, value []byte) []byte {
	for _, c := range value {
		if c == '\r' || c == '\n' || c == '\t' {
			c = ' '
		}
		if c == ' ' && len(out) > 0 && out[len(out)-1] == ' ' {
			continue
		}
		out = append(out, c)
	}
	return out
}

// appendTight unfolds a value and takes out the space around its marks. What is quoted stays, and so does what is between brackets.
func appendTight(out, value []byte) []byte {
	for len(value) > 0 {
		switch end := 0; value[0] {
		case '"':
			if end = closing(value); end < 0 {
				return appendOneLine(out, value)
			}
			out, value = append(out, value[:end]...), value[end:]
		case '<':
			if end = bytes.IndexByte(value, '>'); end < 0 {
				return appendOneLine(out, value)
			}
			out, value = append(out, value[:end+1]...), value[end+1:]
		case ' ', '\t', '\r', '\n':
			rest := bytes.TrimLeft(value, " \t\r\n")
			if !mark(rest, 0) && !mark(out, len(out)-1) {
				out = append(out, ' ')
			}
			value = rest
		default:
			out, value = append(out, value[0]), value[1:]
		}
	}
	return out
}
