package opencloud

import (
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"switchboard/comms"
)

type credentials struct {
	Token string      `json:"token"`
	User  userOfToken `json:"user"`
}

type userOfToken struct {
	ID     uuid.UUID `json:"id"`
	Email  string    `json:"email"`
	APIKey string    `json:"apiKey"`
}

func credentialsOf(c *comms.Credentials) credentials {
	return credentials{c.Token, userOfToken{c.Account.ID, c.Account.Email, c.ApiKey}}
}

func (d *door) register(r *http.Request, in *object) (any, error) {
	email, password := in.text("email"), in.text("password")
	if in.err != nil {
		return nil, in.err
	}
	c, err := d.svc.Register(r.Context(), comms.Register{Email: email, Password: password})
	if err != nil {
		return nil, err
	}
	return credentialsOf(c), nil
}

func (d *door) login(r *http.Request, in *object) (any, error) {
	email, password := in.text("email"), in.text("password")
	if in.err != nil {
		return nil, in.err
	}
	c, err := d.svc.Login(r.Context(), email, password)
	if err != nil {
		return nil, err
	}
	return credentialsOf(c), nil
}

type accountBody struct {
	ID        uuid.UUID `json:"id"`
	Email     string    `json:"email"`
	Plan      string    `json:"plan"`
	MatrixID  *string   `json:"matrixId"`
	CreatedAt int64     `json:"createdAt"`
}

func (d *door) me(r *http.Request, _ *object) (any, error) {
	a, err := d.svc.Me(r.Context())
	if err != nil {
		return nil, err
	}
	return accountBody{a.ID, a.Email, string(a.Plan), a.MatrixID, a.CreatedAt.Milli()}, nil
}

type matrixBody struct {
	successBody
	MatrixID *string `json:"matrixId"`
}

func (d *door) setMatrixID(r *http.Request, in *object) (any, error) {
	id := in.text("matrixId")
	if in.err != nil {
		return nil, in.err
	}
	a, err := d.svc.SetMatrixID(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return matrixBody{successBody{true}, a.MatrixID}, nil
}

type keyBody struct {
	APIKey string `json:"apiKey"`
}

func (d *door) regenerate(r *http.Request, _ *object) (any, error) {
	key, _, err := d.svc.RegenerateApiKey(r.Context(), "")
	if err != nil {
		return nil, err
	}
	return keyBody{key}, nil
}

type dashboardBody struct {
	Email    string       `json:"email"`
	Plan     string       `json:"plan"`
	MatrixID *string      `json:"matrixId"`
	APIKey   string       `json:"apiKey"`
	WSURL    string       `json:"wsUrl"`
	Sessions []sessionRow `json:"sessions"`
}

type sessionRow struct {
	ID        uuid.UUID `json:"id"`
	CreatedAt int64     `json:"created_at"`
	LastSeen  int64     `json:"last_seen"`
	Active    int       `json:"active"` // 0 or 1
}

// closedSessions is how many closed sessions the dashboard lists (contract: the newest 20); open ones are all listed.
const closedSessions = 20

func (d *door) dashboard(r *http.Request, _ *object) (any, error) {
	ctx := r.Context()
	a, err := d.svc.Me(ctx)
	if err != nil {
		return nil, err
	}
	key, err := d.svc.ApiKey(ctx)
	if err != nil {
		return nil, err
	}
	token, err := d.svc.IssueToken(ctx)
	if err != nil {
		return nil, err
	}
	sessions, err := d.svc.Sessions(ctx, closedSessions)
	if err != nil {
		return nil, err
	}
	rows := make([]sessionRow, len(sessions))
	for i, s := range sessions {
		rows[i] = sessionRow{ID: s.ID, CreatedAt: s.CreatedAt.Milli(), LastSeen: s.LastSeen.Milli()}
		if s.ClosedAt == nil {
			rows[i].Active = 1
		}
	}
	return dashboardBody{a.Email, string(a.Plan), a.MatrixID, key, d.address(r) + "/ws?token=" + url.QueryEscape(token), rows}, nil
}

// address is the socket's scheme and host as the client itself sees this server (contract, wsUrl): the address that it used, which
// behind a proxy stands in X-Forwarded-*. internal/httpd removes those where no trusted proxy sent them. A proxy that ends TLS
// but says nothing of it is known by the public URL, if that has the same host.
func (d *door) address(r *http.Request) string {
	host, scheme := r.Host, "ws"
	if here, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && host == "" && d.PublicURL == "" {
		host = here.String() // HTTP/1.0 (RFC 9112, section 3.2)
	}
	if name := firstOf(r.Header.Get("X-Forwarded-Host")); hostName.MatchString(name) {
		host = withPort(name, r.Header.Get("X-Forwarded-Port"))
	}
	if proto := firstOf(r.Header.Get("X-Forwarded-Proto")); strings.EqualFold(proto, "https") || strings.EqualFold(proto, "wss") || r.TLS != nil {
		scheme = "wss"
	}
	if public, err := url.Parse(d.PublicURL); err == nil && public.Host != "" && (host == "" || strings.EqualFold(host, public.Host)) {
		host = public.Host
		if public.Scheme == "https" {
			scheme = "wss"
		}
	}
	return scheme + "://" + host
}

var hostName = regexp.MustCompile(`^([0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// firstOf is what the outermost proxy wrote into a list that each may have added to.
func firstOf(list string) string {
	first, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(first)
}

// withPort adds the port that a proxy names apart from the host, where it isn't the scheme's own.
func withPort(host, port string) string {
	if n, err := strconv.ParseUint(firstOf(port), 10, 16); err != nil || n == 0 || n == 80 || n == 443 {
		return host
	}
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return host + ":" + firstOf(port)
}
