package graph

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// mediaType is what an answer is written as.
type mediaType uint8

const (
	asNothing  mediaType = iota
	asJSON               // application/json: 200 for all that is a well-formed request
	asResponse           // application/graphql-response+json: 400 where execution didn't begin
	asStream             // text/event-stream
)

// mediaTypeNames are values of Content-Type, shared by all answers.
var mediaTypeNames = [...][]string{
	asJSON:     {"application/json; charset=utf-8"},
	asResponse: {"application/graphql-response+json; charset=utf-8"},
	asStream:   {"text/event-stream; charset=utf-8"},
}

// accepted is what a client takes, by its Accept header.
type accepted struct {
	single mediaType // for one answer; asNothing: it takes none of ours
	stream bool      // whether it asked for server-sent events by name
}

// negotiate reads Accept (RFC 9110 section 12.5.1): the greatest weight wins, then what is named before what a wildcard covers, then
// application/graphql-response+json, the newer one. No header, or only wildcards, means application/json (GraphQL over HTTP, section
// "Legacy Watershed"). A wildcard never means a stream: who takes anything expects one answer.
func negotiate(head http.Header) accepted {
	lines := head.Values("Accept")
	if len(lines) == 0 {
		return accepted{single: asJSON}
	}
	ranges := mediaRanges(lines)
	var out accepted
	best := 0
	for _, offer := range []struct {
		is   mediaType
		name string
	}{{asResponse, "application/graphql-response+json"}, {asJSON, "application/json"}} {
		weight, named := weigh(ranges, offer.name)
		rank := weight * 2
		if named {
			rank++
		}
		if weight > 0 && (rank > best || rank == best && !named) {
			best, out.single = rank, offer.is
		}
	}
	weight, named := weigh(ranges, "text/event-stream")
	out.stream = weight > 0 && named
	return out
}

// mediaRange is one item of Accept.
type mediaRange struct {
	name   string
	weight int // q in thousandths
}

func mediaRanges(lines []string) []mediaRange {
	var out []mediaRange
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			if item = strings.TrimSpace(item); item == "" {
				continue
			}
			if !strings.Contains(item, ";") { // what nearly every client sends
				out = append(out, mediaRange{strings.ToLower(item), 1000})
				continue
			}
			name, params, err := mime.ParseMediaType(item)
			if err != nil || !isUTF8(params["charset"]) {
				continue
			}
			weight := 1000
			if q, ok := params["q"]; ok {
				f, err := strconv.ParseFloat(q, 64)
				if err != nil || f < 0 || f > 1 {
					continue
				}
				weight = int(f * 1000)
			}
			out = append(out, mediaRange{name, weight})
		}
	}
	return out
}

// weigh is the weight of the most precise range that covers a type, and whether that range names it.
func weigh(ranges []mediaRange, name string) (weight int, named bool) {
	group, _, _ := strings.Cut(name, "/")
	precise := 0
	for _, r := range ranges {
		p := 0
		switch r.name {
		case name:
			p = 3
		case group + "/*":
			p = 2
		case "*/*":
			p = 1
		}
		if p > precise {
			precise, weight = p, r.weight
		}
	}
	return weight, precise == 3
}

// isUTF8 tells whether a charset parameter, or none, is the one that JSON and event streams have.
func isUTF8(charset string) bool {
	return charset == "" || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}
