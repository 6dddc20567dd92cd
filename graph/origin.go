package graph

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// origins are the sites whose pages may call: the server's own, and those that the settings name.
//
// A browser lets any page open a WebSocket, so for those the server itself must look at Origin (RFC 6455 section 10.2). For HTTP the
// browser asks first (CORS), but not before a "simple" request: those are refused by their content type (http_params.go).
type origins struct {
	own     string // by its public address, which a proxy may not pass on as Host; empty where that isn't set
	allowed []string
	any     bool
}

func newOrigins(publicURL string, allowed []string) origins {
	o := origins{any: slices.Contains(allowed, "*")}
	if u, err := url.Parse(publicURL); err == nil && u.Host != "" {
		o.own = u.Scheme + "://" + u.Host
	}
	for _, a := range allowed {
		o.allowed = append(o.allowed, strings.ToLower(strings.TrimSuffix(a, "/")))
	}
	return o
}

// allows tells whether a request may be answered. One without Origin comes from no browser, or from a page of this server.
func (o origins) allows(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || o.named(origin) || strings.EqualFold(origin, o.own) || sameHost(origin, r.Host)
}

func (o origins) named(origin string) bool {
	return o.any || slices.Contains(o.allowed, strings.ToLower(origin))
}

func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// share tells a browser that a page of a named site may read the answer. Credentials are headers here, never cookies, so nothing is
// said of those.
func (o origins) share(head http.Header, r *http.Request) {
	if len(o.allowed) == 0 {
		return
	}
	head.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !o.named(origin) {
		return
	}
	head.Set("Access-Control-Allow-Origin", origin)
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		head.Set("Access-Control-Allow-Methods", allowedMethods)
		head.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID, X-API-Key, "+strings.Join(preflighted, ", "))
		head.Set("Access-Control-Max-Age", "86400")
	}
}
