package ovhtest

import (
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// clockSlack is how old a signature may be.
const clockSlack = 30 * time.Second

// signed answers what only a customer's key opens.
func (s *Server) signed(w http.ResponseWriter, r *http.Request, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.Header.Get("X-Ovh-Consumer")
	stamp, err := strconv.ParseInt(r.Header.Get("X-Ovh-Timestamp"), 10, 64)
	c := s.credentials[key]
	switch {
	case r.Header.Get("X-Ovh-Application") != ApplicationKey:
		Refuse(w, 403, "INVALID_KEY", "This application key is invalid")
	case err != nil || time.Unix(stamp, 0).Sub(time.Now().Add(s.skew)).Abs() > clockSlack:
		Refuse(w, 400, "QUERY_TIME_OUT", "Query out of time")
	case r.Header.Get("X-Ovh-Signature") != Signature(ApplicationSecret, key, r.Method, s.http.URL+r.URL.RequestURI(), "", stamp):
		Refuse(w, 400, "INVALID_SIGNATURE", "Invalid signature")
	case c == nil:
		Refuse(w, 403, "NOT_CREDENTIAL", "This credential does not exist")
	case c.Status != "validated":
		Refuse(w, 403, "INVALID_CREDENTIAL", "This credential is not valid")
	case r.Method != http.MethodGet || !c.reaches(r.Method, path):
		Refuse(w, 403, "NOT_GRANTED_CALL", "This call has not been granted")
	default:
		s.read(w, r, c, path)
	}
}

// Signature is "$1$" + SHA1_HEX(AS + "+" + CK + "+" + METHOD + "+" + QUERY + "+" + BODY + "+" + TSTAMP), as OVH documents it.
func Signature(secret, consumer, method, query, body string, at int64) string {
	sum := sha1.Sum([]byte(strings.Join([]string{secret, consumer, method, query, body, strconv.FormatInt(at, 10)}, "+")))
	return "$1$" + hex.EncodeToString(sum[:])
}

// reaches tells whether a rule of the key allows that. A star stands for anything.
func (c *Credential) reaches(method, path string) bool {
	for _, rule := range c.Rules {
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(rule.Path), `\*`, ".*") + "$"
		if rule.Method == method && regexp.MustCompile(pattern).MatchString(path) {
			return true
		}
	}
	return false
}
