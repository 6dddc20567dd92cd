package ovh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ovh/go-ovh/ovh"

	"switchboard/comms/carrier"
)

// Options say how OVH is reached. Zero means the default.
type Options struct {
	Endpoint string // ovh-eu, ovh-ca, ... or the address of an API (ovh-eu)
	Key      string // of our application there
	Secret   string
	Timeout  time.Duration // of one request (30 s)
	Patience time.Duration // a wait that OVH asks for is waited out within an import if it is no longer (15 s); negative: never
}

// OVH is one of OVH's APIs and our application there. It implements carrier.Carrier.
type OVH struct {
	endpoint, key, secret string
	timeout, patience     time.Duration
	api, files            *http.Client
}

// New reads the options; nothing is asked of OVH yet.
func New(o Options) (*OVH, error) {
	if o.Endpoint == "" {
		o.Endpoint = "ovh-eu"
	}
	endpoint, known := ovh.Endpoints[o.Endpoint]
	if !known {
		endpoint = strings.TrimRight(o.Endpoint, "/")
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is neither the name nor the address of one of OVH's APIs", o.Endpoint)
	}
	if o.Key == "" || o.Secret == "" {
		return nil, errors.New("an application at OVH has a key and a secret")
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = 15 * time.Second
	}
	return &OVH{endpoint: endpoint, key: o.Key, secret: o.Secret, timeout: o.Timeout, patience: o.Patience,
		api: apiClient(o.Timeout), files: fileClient(o.Timeout, local(u.Hostname()))}, nil
}

// apiClient sends what is signed. It follows no redirection: what is signed is for OVH alone.
func apiClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: timeout, MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 16,
			IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// rules are the rights that we ask a customer for: to read what is read here, and nothing else. GET /me tells whose the key is.
func rules() []ovh.AccessRule {
	paths := []string{"/auth/currentCredential", "/me", "/telephony",
		"/telephony/*/service", "/telephony/*/service/*/voiceConsumption", "/telephony/*/service/*/voiceConsumption/*"}
	for _, kind := range queues {
		paths = append(paths, "/telephony/*/"+kind, "/telephony/*/"+kind+"/*/records", "/telephony/*/"+kind+"/*/records/*")
	}
	out := make([]ovh.AccessRule, len(paths))
	for i, path := range paths {
		out[i] = ovh.AccessRule{Method: http.MethodGet, Path: path}
	}
	return out
}

// Ask implements carrier.Carrier: POST /auth/credential, which is not signed.
func (o *OVH) Ask(ctx context.Context, back string) (carrier.Asked, error) {
	none := carrier.Asked{}
	client, err := o.client("")
	if err != nil {
		return none, err
	}
	wish := client.NewCkRequestWithRedirection(back)
	wish.AccessRules = rules()
	req, err := client.NewRequest(http.MethodPost, "/auth/credential", wish, false)
	if err != nil {
		return none, fmt.Errorf("ask OVH for a credential: %w", err)
	}
	var got ovh.CkValidationState
	if err := o.send(ctx, req, mostOfOne, &got); err != nil {
		return none, err
	}
	page, err := url.Parse(got.ValidationURL)
	if err != nil || page.Scheme != "https" && page.Scheme != "http" || page.Host == "" || got.ConsumerKey == "" {
		return none, nonsense("a credential without a key or a page")
	}
	return carrier.Asked{Key: got.ConsumerKey, Page: got.ValidationURL}, nil
}

// client is OVH's own client, by hand: what makes one reads keys out of the environment and of files, and ours are in the settings.
func (o *OVH) client(consumer string) (*ovh.Client, error) {
	c := &ovh.Client{AppKey: o.key, AppSecret: o.secret, ConsumerKey: consumer, Client: &http.Client{}, Timeout: o.timeout, UserAgent: "switchboard"}
	return c, c.SetEndpoint(o.endpoint)
}

// Open implements carrier.Carrier: it asks in what state the consumer key is, and whose.
func (o *OVH) Open(ctx context.Context, key string) (*carrier.Customer, error) {
	s, err := o.open(ctx, key)
	if err != nil {
		return nil, err
	}
	var credential struct {
		Status string `json:"status"`
	}
	err = s.get(ctx, "/auth/currentCredential", mostOfOne, &credential)
	switch {
	case err != nil && !notForUs(err):
		return nil, atTheDoor(err)
	case err != nil: // it need not show itself; what follows tells whether it is good
	case credential.Status == "pendingValidation":
		return nil, &carrier.Trouble{Problem: carrier.ProblemPending, Err: errors.New("the credential waits for validation")}
	case slices.Contains([]string{"expired", "forbidden", "refused"}, credential.Status):
		return nil, &carrier.Trouble{Problem: carrier.ProblemWithdrawn, Err: errors.New("the credential is " + credential.Status)}
	case credential.Status != "validated":
		return nil, nonsense("a credential in no documented state")
	}
	identity, err := s.identity(ctx)
	if err != nil {
		return nil, atTheDoor(err)
	}
	return &carrier.Customer{Identity: identity, Lines: s}, nil
}

// identity is whose the key is: his name at OVH or, where that is not for us to know, the first of his billing accounts.
func (s *session) identity(ctx context.Context) (string, error) {
	var me struct {
		Nichandle string `json:"nichandle"`
	}
	err := s.get(ctx, "/me", mostOfOne, &me)
	switch {
	case err == nil && isName(me.Nichandle):
		return me.Nichandle, nil
	case err == nil:
		return "", nonsense("a customer without a name")
	case !notForUs(err):
		return "", err
	}
	accounts, err := s.names(ctx, "/telephony")
	if err != nil {
		return "", err
	}
	if len(accounts) == 0 {
		return "", &carrier.Trouble{Problem: carrier.ProblemRefused, Err: errors.New("a customer without a name and a billing account")}
	}
	return "telephony:" + slices.Min(accounts), nil
}

// notForUs tells of an answer that says nothing of the key: there is no such thing, or our rights don't reach it.
func notForUs(err error) bool {
	var t *carrier.Trouble
	return errors.As(err, &t) && t.Problem == carrier.ProblemRefused && (t.Gone || errors.Is(t.Err, errNotGranted))
}

// atTheDoor reads a refusal of the first requests of a session as being about the key, where it doesn't say that it is about anything else.
func atTheDoor(err error) error {
	var t *carrier.Trouble
	if errors.As(err, &t) && t.Problem == carrier.ProblemRefused && errors.Is(t.Err, errForbidden) {
		return &carrier.Trouble{Problem: carrier.ProblemPending, Err: t.Err}
	}
	return err
}
