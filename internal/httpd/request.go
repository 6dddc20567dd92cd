package httpd

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// Values of headers are shared by all answers: nobody may change a slice that he finds in a header.
var (
	nosniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	deny       = []string{"DENY"}
)

// head sets what every answer carries. A page that may be framed or sniffed would have to say so itself; none does.
func head(h http.Header, id string) {
	h["X-Request-Id"] = []string{id}
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noReferrer
	h["X-Frame-Options"] = deny
}

var (
	process  = strings.ToLower(rand.Text()[:10]) // tells this process's requests from those of others and of earlier ones
	requests atomic.Uint64
)

// requestID is the id that the client or a proxy gave, where it is one that does no harm in a log, else a new one.
func requestID(h http.Header) string {
	if v := h["X-Request-Id"]; len(v) == 1 && saneID(v[0]) {
		return v[0]
	}
	b := make([]byte, 0, 24)
	b = append(append(b, process...), '-')
	return string(strconv.AppendUint(b, requests.Add(1), 36))
}

func saneID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// originOf is the address that the request comes from, which throttles count by: the connection's, or what a trusted proxy says, of
// which the last address that is not itself a trusted proxy counts (all before it anybody may have written). Where the connection's
// other end is not trusted, what only a proxy may say is taken away, so that a door can believe what it finds.
func (a Around) originOf(r *http.Request) string {
	peer := r.RemoteAddr
	if !a.trusted(peer) {
		for _, name := range forwarded {
			delete(r.Header, name)
		}
		return peer
	}
	chain := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(chain) - 1; i >= 0 && a.trusted(peer); i-- {
		hop := strings.TrimSpace(chain[i])
		if _, ok := address(hop); !ok {
			break // what stands before it is worth nothing
		}
		peer = hop
	}
	return peer
}

var forwarded = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-Ip", "Forwarded"}

func (a Around) trusted(peer string) bool {
	if len(a.TrustedProxies) == 0 {
		return false
	}
	ip, ok := address(peer)
	return ok && slices.ContainsFunc(a.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// address reads an IP address with or without a port.
func address(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), true
	}
	ip, err := netip.ParseAddr(s)
	return ip.Unmap(), err == nil
}

// WithClientURL tells next, by a function of its own, the address that the client used where a trusted proxy says it (originOf has taken
// away what others say). Without a proxy next sees it by itself.
func WithClientURL(tell func(ctx context.Context, base string) context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if base := forwardedURL(r); base != "" {
			r = r.WithContext(tell(r.Context(), base))
		}
		next.ServeHTTP(w, r)
	})
}

// forwardedURL is what X-Forwarded-Proto and X-Forwarded-Host say together; empty where they say nothing that can be one.
func forwardedURL(r *http.Request) string {
	proto, host := r.Header["X-Forwarded-Proto"], r.Header["X-Forwarded-Host"]
	if len(proto) != 1 && len(host) != 1 {
		return ""
	}
	u := url.URL{Scheme: "http", Host: r.Host}
	if len(proto) == 1 && strings.EqualFold(strings.TrimSpace(proto[0]), "https") {
		u.Scheme = "https"
	}
	if len(host) == 1 {
		u.Host = strings.TrimSpace(host[0])
	}
	if again, err := url.Parse(u.String()); err != nil || again.Host != u.Host || u.Host == "" {
		return ""
	}
	return u.String()
}
