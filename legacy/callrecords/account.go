package callrecords

import (
	"net/http"
	"net/url"
	"strings"

	"switchboard/comms/mail"
)

type registeredBody struct {
	User   string `json:"user"`
	Active bool   `json:"active"`
}

func (d *door) register(r *http.Request, in *object) (any, error) {
	user, password := in.text("user"), in.text("password")
	if in.err != nil {
		return nil, in.err
	}
	base, err := d.base(r)
	if err != nil {
		return nil, err
	}
	made, err := d.Mails.RegisterByMail(r.Context(), mail.RegisterByMail{Email: user, Password: password, Base: base})
	if err != nil {
		return nil, err
	}
	return registeredBody{made.Account.Email, made.Account.Active}, nil
}

func (d *door) activate(r *http.Request, _ *object) (any, error) {
	if _, err := d.Mails.Activate(r.Context(), r.PathValue("token")); err != nil {
		return nil, err
	}
	return page{"Your account is active", "You can log in now, and close this page"}, nil
}

type loginBody struct {
	AccessToken string `json:"accessToken"`
}

func (d *door) login(r *http.Request, in *object) (any, error) {
	user, password := in.text("user"), in.text("password")
	if in.err != nil {
		return nil, in.err
	}
	c, err := d.svc.Login(r.Context(), user, password)
	if err != nil {
		return nil, err
	}
	return loginBody{c.Token}, nil
}

// base is the address under which the client reaches this server, for links. What a proxy says of it was taken out by internal/httpd where
// the proxy is not trusted. It goes into letters to somebody else, so what is no host is refused.
func (d *door) base(r *http.Request) (string, error) {
	if d.PublicURL != "" {
		return d.PublicURL, nil
	}
	u := url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		u.Scheme = "https"
	}
	if name := r.Header.Get("X-Forwarded-Host"); name != "" {
		u.Host = strings.TrimSpace(name)
	}
	again, err := url.Parse(u.String())
	if err != nil || u.Host == "" || again.Host != u.Host || again.User != nil || again.Path != "" {
		return "", badInput("the Host header is no host")
	}
	return u.String(), nil
}
