package push

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// errForbidden says that a device named an address that is nobody's to name.
var errForbidden = errors.New("the endpoint's address is not public")

// notPublic are networks that an endpoint may not be in (IANA's special-purpose registries), besides what netip itself knows: whoever has a
// number could otherwise have us ask what only we can reach.
var notPublic = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	"5f00::/16", "fec0::/10")

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// public tells whether an endpoint may have that address.
func public(a netip.Addr, allowed []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	if slices.ContainsFunc(allowed, in) {
		return true
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(notPublic, in)
}

// guarded is a client for addresses that strangers name. The address is looked at when it is connected to, whatever its name resolved to
// before; there is no proxy, which would do that instead of us, and no redirect is followed.
func guarded(o Options) *http.Client {
	d := net.Dialer{Timeout: 5 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil || !public(a.Addr(), o.Private) {
			return errForbidden
		}
		return nil
	}}
	return client(o, &http.Transport{DialContext: d.DialContext})
}

// client is one with our bounds.
func client(o Options, t *http.Transport) *http.Client {
	t.TLSClientConfig = &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12}
	t.TLSHandshakeTimeout, t.ResponseHeaderTimeout = 5*time.Second, o.Timeout
	t.ForceAttemptHTTP2 = true
	t.MaxIdleConnsPerHost, t.IdleConnTimeout, t.MaxResponseHeaderBytes = 2, 90*time.Second, 64<<10
	return &http.Client{Transport: t, Timeout: o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
