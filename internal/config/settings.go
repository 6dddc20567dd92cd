package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Settings are all that can be set.
type Settings struct {
	HTTP           Address
	PublicURL      string // without a slash at its end
	TrustedProxies Networks
	AllowedOrigins Words
	DrainTimeout   Period
	MaxSockets     Count

	Data       string
	Database   Secret
	Content    Secret
	MailDir    string
	SecretFile string

	LogLevel  slog.Level
	LogFormat string

	Retention, TokenTTL, LinkTTL Period
	MaxData                      Size

	SIP, SIPTLS            Listener
	SIPPublic              string // the address that telephones and carriers reach; empty: the one that is listened on
	SIPCert, SIPKey        string
	SIPRealm               string
	MediaPorts             Ports
	DefaultCountry         string
	RecordingRetention     Period
	MaskRest               Period
	RTPTimeout, SIPSession Period
	Calls                  Calls

	SMTP        Secret // smtp:// or smtps:// with user and password; empty: mails are dropped in MailDir
	MailFrom    string
	ImportEvery Period
	OVH         OVH
	Moor        Moor
	Matrix      Matrix
	Push        Push

	NoThrottle  bool
	Throttle    Throttle
	ThrottleSIP Rate
	GraphQL     GraphQL
}

// Calls are bounds of what one account may call, and of a call.
type Calls struct {
	AtOnce    Count
	PerMinute Count
	Prefixes  Words // of outside numbers, without +; none: all
	Ring      Period
	Longest   Period
	InAll     Count // calls of all accounts at once: more are told to come again
	Load      Count // the same of those that are being set up
}

// OVH is the application under which we ask OVH's API.
type OVH struct {
	Endpoint          string // ovh-eu, ovh-ca, ..., or the address of one
	ApplicationKey    string
	ApplicationSecret Secret
}

// Moor is the 7moor account whose number pool `switchboard import moor` takes over.
type Moor struct {
	URL, AppKey string
	Secret      Secret
}

// Matrix is the bot that speaks to owners of accounts. Without a homeserver there is none.
type Matrix struct {
	Homeserver, User string
	Password, Token  Secret // one of them
}

// Push are the services that wake devices. Those that need no registration, Web Push and UnifiedPush, are always there.
type Push struct {
	Text                bool   // whether a notification holds what was written
	Contact             string // of the operator: mailto: or https:, for the push services (RFC 8292, section 2.1)
	FCM                 string // file of a service account's key
	APNsKey             string // file of a .p8 key
	APNsKeyID, APNsTeam string
	APNsTopic           string // the app's bundle id
	APNsSandbox         bool
	Private             Networks // private networks in which the URLs of devices may lie
}

// Throttle are rates that no document names.
type Throttle struct {
	Register, Login, Captcha, PIN Rate
}

// GraphQL are bounds of one request through that door.
type GraphQL struct {
	Introspection                             bool
	Depth, Complexity, Aliases, Batch, Tokens Count
	Body                                      Size
	PageSize                                  Count
}

// setting is one of them: a flag, a variable of the environment and a line of the settings file.
type setting struct {
	name, def, help string
	to              any // *string, *bool, or what reads itself
}

// list is every setting. The defaults stand here and below; docs/switchboard.example.yml repeats them for people.
func (s *Settings) list() []setting {
	return slices.Concat(s.ofServer(), s.ofCalls(), s.ofProviders(), s.ofLimits())
}

func (s *Settings) ofServer() []setting {
	return []setting{
		{"http", "127.0.0.1:8080", "`address` to listen on; port 0 takes a free one", &s.HTTP},
		{"public-url", "", "`address` under which clients reach this server; empty: what each request says", &s.PublicURL},
		{"trusted-proxies", "", "`networks` of proxies whose X-Forwarded-* headers are believed: 10.0.0.0/8,...", &s.TrustedProxies},
		{"allowed-origins", "", "web `origins` that may use the API from a browser besides the server's own; * for all", &s.AllowedOrigins},
		{"drain-timeout", "10s", "how `long` a stop waits for requests and sockets", &s.DrainTimeout},
		{"max-sockets", "10000", "`number` of WebSockets and event streams that one account may hold at once", &s.MaxSockets},

		{"data", "./data", "`folder` of the database, contents, mails and the key", &s.Data},
		{"database", "", "sqlite:PATH or postgres://... as `URL`; empty: switchboard.db in the data folder", &s.Database},
		{"content", "", "`place` of files: a folder or s3://bucket/prefix?endpoint=...&region=...; empty: content in the data folder", &s.Content},
		{"mail-dir", "", "`folder` where mails are dropped as .eml; empty: mail in the data folder", &s.MailDir},
		{"secret-file", "", "`file` of the server's key, made at the first start; empty: secret.key in the data folder", &s.SecretFile},

		{"log-level", "info", "debug, info, warn or error, as `level`", &s.LogLevel},
		{"log-format", "text", "text or json, as `format`", &s.LogFormat},

		{"retention", "7d", "how `long` the event log is kept for clients to resume from", &s.Retention},
		{"token-ttl", "24h", "how `long` the token of a login is good", &s.TokenTTL},
		{"link-ttl", "15m", "how `long` the link of a file is good", &s.LinkTTL},
		{"max-data", "64MiB", "`size` of the largest file of a message", &s.MaxData},
	}
}

func (s *Settings) ofCalls() []setting {
	return []setting{
		{"sip", "127.0.0.1:5060", "`address` for telephones and carriers, UDP and TCP; off switches calls off", &s.SIP},
		{"sip-tls", "", "`address` for telephones that ask for TLS; empty: the port after that of sip; or off", &s.SIPTLS},
		{"sip-public", "", "IP `address` under which telephones reach this server; empty: the one that it listens on", &s.SIPPublic},
		{"sip-cert", "", "`file` of the TLS certificate; empty: one is made and kept in the data folder", &s.SIPCert},
		{"sip-key", "", "`file` of its private key", &s.SIPKey},
		{"sip-realm", "switchboard", "`name` that telephones are asked for their password with", &s.SIPRealm},
		{"media-ports", "20000-29999", "UDP `ports` for sound, FIRST-LAST; 0 takes any free ones", &s.MediaPorts},
		{"default-country", "86", "country `code` of numbers that are dialled without one", &s.DefaultCountry},
		{"recording-retention", "90d", "how `long` recordings are kept", &s.RecordingRetention},
		{"mask-rest", "10m", "how `long` a freed number rests before it masks the same party again", &s.MaskRest},
		{"rtp-timeout", "60s", "how `long` a call may be silent on the wire before it is ended", &s.RTPTimeout},
		{"sip-session", "30m", "how `long` a call lasts without a sign of life from a side that can give one (RFC 4028)", &s.SIPSession},
		{"calls-at-once", "30", "`number` of calls that one account may have at once", &s.Calls.AtOnce},
		{"calls-per-minute", "60", "`number` of calls that one account may begin in a minute", &s.Calls.PerMinute},
		{"calls-prefixes", "", "`beginnings` of outside numbers that may be called, without +: 86,852; empty: all", &s.Calls.Prefixes},
		{"calls-ring", "60s", "how `long` a call rings", &s.Calls.Ring},
		{"calls-longest", "4h", "how `long` a conversation may last", &s.Calls.Longest},
		{"calls-in-all", "2000", "`number` of calls of all accounts at once; more are answered 503", &s.Calls.InAll},
		{"calls-load", "400", "`number` of calls that are being set up at once; more are answered 503", &s.Calls.Load},
	}
}

func (s *Settings) ofProviders() []setting {
	return []setting{
		{"smtp", "", "mail server as `URL`: smtp://user:password@host:587, smtps:// for TLS from the start; empty: mails are dropped in mail-dir", &s.SMTP},
		{"mail-from", "switchboard@localhost", "`address` that mails come from", &s.MailFrom},
		{"import-every", "1h", "how `long` from one import of a carrier's records to the next, where the account says nothing else", &s.ImportEvery},
		{"ovh-endpoint", "ovh-eu", "OVH's API: ovh-eu, ovh-ca, ovh-us or its `address`", &s.OVH.Endpoint},
		{"ovh-application-key", "", "`key` of the application at OVH; empty: no account can be linked", &s.OVH.ApplicationKey},
		{"ovh-application-secret", "", "`secret` of that application", &s.OVH.ApplicationSecret},
		{"moor-url", "https://v7openapi.7moor.com", "`address` of the 7moor API, for import moor", &s.Moor.URL},
		{"moor-app-key", "", "`key` of the account there (m7-appkey)", &s.Moor.AppKey},
		{"moor-secret", "", "`secret` that signs with that key", &s.Moor.Secret},
		{"matrix-homeserver", "", "`address` of the homeserver of the bot that tells of messages and missed calls; empty: no bot", &s.Matrix.Homeserver},
		{"matrix-user", "", "`name` of the bot: @bot:example.org", &s.Matrix.User},
		{"matrix-password", "", "the bot's `password`", &s.Matrix.Password},
		{"matrix-token", "", "the bot's access `token`, in place of a password", &s.Matrix.Token},
		{"push-text", "false", "whether push notifications hold the text of a message", &s.Push.Text},
		{"push-contact", "", "`address` of the operator for push services: mailto:ops@example.org", &s.Push.Contact},
		{"push-fcm", "", "`file` of a Google service account's key, for Android devices", &s.Push.FCM},
		{"push-apns-key", "", "`file` of a .p8 key, for Apple devices", &s.Push.APNsKey},
		{"push-apns-key-id", "", "`id` of that key", &s.Push.APNsKeyID},
		{"push-apns-team", "", "`id` of the developer team", &s.Push.APNsTeam},
		{"push-apns-topic", "", "bundle `id` of the app", &s.Push.APNsTopic},
		{"push-apns-sandbox", "false", "use Apple's development server", &s.Push.APNsSandbox},
		{"push-private", "", "private `networks` in which the push services that devices name may be: 192.168.1.0/24,...; empty: none", &s.Push.Private},
	}
}

func (s *Settings) ofLimits() []setting {
	return []setting{
		{"no-throttle", "false", "switches all throttles off: for load and conformance tests", &s.NoThrottle},
		{"throttle-register", "30/10m", "`rate` of registrations from one address", &s.Throttle.Register},
		{"throttle-login", "60/1m", "`rate` of logins from one address, and into one account", &s.Throttle.Login},
		{"throttle-captcha", "120/1m", "`rate` of captchas from one address, questions and answers together", &s.Throttle.Captcha},
		{"throttle-pin", "10/15m", "`rate` of wrong PINs for one number", &s.Throttle.PIN},
		{"throttle-sip", "20/1m", "`rate` of wrong passwords of telephones from one address, and for one telephone", &s.ThrottleSIP},

		{"graphql-introspection", "true", "whether clients may ask for the schema", &s.GraphQL.Introspection},
		{"graphql-depth", "12", "`number` of fields within fields", &s.GraphQL.Depth},
		{"graphql-complexity", "10000", "`cost` of an operation: a field is 1, a list its page size times what is in it", &s.GraphQL.Complexity},
		{"graphql-aliases", "50", "`number` of aliases in an operation", &s.GraphQL.Aliases},
		{"graphql-batch", "10", "`number` of operations in one request", &s.GraphQL.Batch},
		{"graphql-tokens", "5000", "`number` of words and signs of a query", &s.GraphQL.Tokens},
		{"graphql-body", "1MiB", "`size` of a request without its files", &s.GraphQL.Body},
		{"graphql-page-size", "200", "`number` of items of one page", &s.GraphQL.PageSize},
	}
}

// sections of the settings file: throttle: {login: x} is the flag throttle-login.
var sections = []string{"calls", "ovh", "moor", "matrix", "push", "throttle", "graphql"}

// check refuses what can be read but not be meant.
func (s *Settings) check() error {
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("public-url must be an http:// or https:// address without a query")
		}
	}
	if s.LogFormat != "text" && s.LogFormat != "json" {
		return errors.New("log-format must be text or json")
	}
	if s.SIPPublic != "" {
		if _, err := netip.ParseAddr(s.SIPPublic); err != nil {
			return errors.New("sip-public must be an IP address")
		}
	}
	if (s.SIPCert == "") != (s.SIPKey == "") {
		return errors.New("sip-cert and sip-key go together")
	}
	if err := s.checkProviders(); err != nil {
		return err
	}
	if _, err := strconv.ParseUint(s.DefaultCountry, 10, 10); err != nil {
		return errors.New("default-country must be a country code: 1 to 3 digits")
	}
	return nil
}

// checkProviders refuses settings of the ways out that only make sense together, or that are no addresses.
func (s *Settings) checkProviders() error {
	if s.SMTP != "" {
		if u, err := url.Parse(string(s.SMTP)); err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Host == "" {
			return errors.New("smtp must be smtp://host:port or smtps://host:port") // not what was given: it may hold a password
		}
	}
	if _, err := mail.ParseAddress(s.MailFrom); err != nil {
		return errors.New("mail-from must be an email address")
	}
	if (s.OVH.ApplicationKey == "") != (s.OVH.ApplicationSecret == "") {
		return errors.New("ovh-application-key and ovh-application-secret go together")
	}
	if m := s.Matrix; m.Homeserver != "" && (m.User == "" || (m.Password == "") == (m.Token == "")) {
		return errors.New("matrix-homeserver needs matrix-user and either matrix-password or matrix-token")
	}
	if p := s.Push; p.APNsKey != "" && (p.APNsKeyID == "" || p.APNsTeam == "" || p.APNsTopic == "") {
		return errors.New("push-apns-key needs push-apns-key-id, push-apns-team and push-apns-topic")
	}
	for name, address := range map[string]string{"moor-url": s.Moor.URL, "matrix-homeserver": s.Matrix.Homeserver} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return fmt.Errorf("%s must be an http:// or https:// address", name)
		}
	}
	return nil
}

// derive fills in what follows from other settings.
func (s *Settings) derive() {
	if s.MailDir == "" {
		s.MailDir = filepath.Join(s.Data, "mail")
	}
	if s.SecretFile == "" {
		s.SecretFile = filepath.Join(s.Data, "secret.key")
	}
	s.PublicURL = strings.TrimSuffix(s.PublicURL, "/")
}

// Address is a host and a port to listen on.
type Address string

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Address) UnmarshalText(b []byte) error {
	host, port, found := strings.Cut(string(b), ":")
	if i := strings.LastIndexByte(string(b), ':'); i >= 0 {
		host, port = string(b)[:i], string(b)[i+1:]
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || !found || strings.ContainsAny(host, "/ ") {
		return fmt.Errorf("%q is not host:port", b)
	}
	*a = Address(b)
	return nil
}

// Words are separated by commas.
type Words []string

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *Words) UnmarshalText(b []byte) error {
	*w = nil
	for word := range strings.SplitSeq(string(b), ",") {
		if word = strings.TrimSpace(word); word != "" {
			*w = append(*w, word)
		}
	}
	return nil
}

// Networks are prefixes of addresses, separated by commas.
type Networks []netip.Prefix

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *Networks) UnmarshalText(b []byte) error {
	var words Words
	if err := words.UnmarshalText(b); err != nil {
		return err
	}
	*n = nil
	for _, word := range words {
		p, err := netip.ParsePrefix(word)
		if err != nil {
			return fmt.Errorf("%q is no network: write 10.0.0.0/8, or 192.0.2.1/32 for one address", word)
		}
		*n = append(*n, p)
	}
	return nil
}

// SIPTLSAddress is where TLS is listened on; empty: nowhere.
func (s *Settings) SIPTLSAddress() string {
	if s.SIPTLS.Off || s.SIP.Off {
		return ""
	}
	if s.SIPTLS.Address != "" {
		return string(s.SIPTLS.Address)
	}
	host, port, err := net.SplitHostPort(string(s.SIP.Address))
	n, err2 := strconv.Atoi(port)
	if err != nil || err2 != nil {
		return ""
	}
	if n > 0 {
		n++
	}
	return net.JoinHostPort(host, strconv.Itoa(n))
}
