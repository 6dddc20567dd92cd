package callrecords

import (
	"html"
	"net/http"
	"strings"
)

// page is what somebody at a browser sees: a headline and a sentence.
type page struct{ title, text string }

// frame is every page: no script, nothing from elsewhere.
const frame = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto 0; padding: 0 1rem } h1 { font-size: 1.4rem }</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}.</p>
</body>
</html>
`

func (p page) html() []byte {
	return []byte(strings.NewReplacer("{title}", html.EscapeString(p.title), "{text}", html.EscapeString(upperFirst(p.text))).Replace(frame))
}

// upperFirst makes a sentence of the text of an error.
func upperFirst(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// head keeps the page, whose address is a credential, to itself: no other site learns the address, frames it or adds to it.
func (p page) head(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
}
