package ovhtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The application that is registered here.
const (
	ApplicationKey    = "7kbG7Bk7S9Nt7ZSV"
	ApplicationSecret = "EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF"
)

// Server is an OVH.
type Server struct {
	Endpoint string // what the setting ovh-endpoint takes

	t    testing.TB
	http *httptest.Server

	mu          sync.Mutex
	skew        time.Duration
	brake       func(w http.ResponseWriter, r *http.Request) bool
	customers   map[string]*Customer
	credentials map[string]*Credential
	files       map[string][]byte
	asked       map[string]int // requests by their paths, without what was asked for in the query
}

// Credential is a consumer key.
type Credential struct {
	Key         string
	Rules       []Rule
	Redirection string
	Status      string
	Customer    string
}

// Rule is a right that was asked for.
type Rule struct {
	Method string `json:"method"`
	Path   string `json:"path"`
}

// New starts one, which ends with the test.
func New(t testing.TB) *Server {
	s := &Server{t: t, customers: map[string]*Customer{}, credentials: map[string]*Credential{}, files: map[string][]byte{}, asked: map[string]int{}}
	s.http = httptest.NewServer(s)
	t.Cleanup(s.http.Close)
	s.Endpoint = s.http.URL + "/1.0"
	return s
}

// Break has fn called before each request; where it answers true it has answered the request itself. nil mends the server.
func (s *Server) Break(fn func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.brake = fn
}

// Skew sets the server's clock apart from ours.
func (s *Server) Skew(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew = d
}

// Asked is how many requests there were whose path holds that text.
func (s *Server) Asked(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, times := range s.asked {
		if strings.Contains(path, text) {
			n += times
		}
	}
	return n
}

// Credential is the consumer key whose page that is.
func (s *Server) Credential(page string) *Credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.credentials {
		if page == s.page(c.Key) {
			return c
		}
	}
	s.t.Errorf("%s is no page of a credential", page)
	return &Credential{}
}

// Granted has a key reach those paths alone, and read itself, in a change.
func (s *Server) Granted(key string, paths ...string) {
	s.credentials[key].Rules = []Rule{{http.MethodGet, "/auth/currentCredential"}}
	for _, path := range paths {
		s.credentials[key].Rules = append(s.credentials[key].Rules, Rule{http.MethodGet, path})
	}
}

// Consent is what a customer does on the page: he logs in and allows what is asked for. It answers where he is sent then.
func (s *Server) Consent(page, customer string) string {
	c := s.Credential(page)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Status, c.Customer = "validated", customer
	return c.Redirection
}

// Withdraw takes back all that a customer consented to. His keys are forgotten, or known as expired.
func (s *Server) Withdraw(customer string, forget bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, c := range s.credentials {
		if c.Customer == customer {
			if c.Status = "expired"; forget {
				delete(s.credentials, key)
			}
		}
	}
}

func (s *Server) page(key string) string {
	return s.http.URL + "/auth/?credentialToken=token-of-" + key
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	brake := s.brake
	s.asked[r.URL.Path]++
	s.mu.Unlock()
	if brake != nil && brake(w, r) {
		return
	}
	path, ours := strings.CutPrefix(r.URL.EscapedPath(), "/1.0")
	switch {
	case !ours:
		s.file(w, r)
	case r.Method == http.MethodGet && path == "/auth/time":
		s.mu.Lock()
		defer s.mu.Unlock()
		answer(w, time.Now().Add(s.skew).Unix())
	case r.Method == http.MethodPost && path == "/auth/credential":
		s.request(w, r)
	default:
		s.signed(w, r, path)
	}
}

// request is POST /auth/credential.
func (s *Server) request(w http.ResponseWriter, r *http.Request) {
	var in struct {
		AccessRules []Rule  `json:"accessRules"`
		Redirection *string `json:"redirection"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	switch err := d.Decode(&in); {
	case r.Header.Get("X-Ovh-Application") != ApplicationKey:
		Refuse(w, 403, "INVALID_KEY", "This application key is invalid")
		return
	case err != nil || len(in.AccessRules) == 0 || in.Redirection == nil:
		Refuse(w, 400, "INVALID_ARGUMENT", "[accessRules] and [redirection] are needed")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := "consumer" + strconv.Itoa(len(s.credentials)) + "K" + strconv.FormatInt(time.Now().UnixNano(), 36)
	s.credentials[key] = &Credential{Key: key, Rules: in.AccessRules, Redirection: *in.Redirection, Status: "pendingValidation"}
	answer(w, map[string]string{"consumerKey": key, "state": "pendingValidation", "validationUrl": s.page(key)})
}

func answer(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(what) // whoever asked may have gone away
}

// Refuse answers as OVH does where there is no success.
func Refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Ovh-QueryID", "EU.ext-1.0000000000000000")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"class":"Client::%s","errorCode":%q,"httpCode":"%d %s","message":%q}`, strings.ReplaceAll(http.StatusText(status), " ", ""), code, status,
		http.StatusText(status), message)
}
