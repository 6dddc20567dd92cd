package ovhtest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Customer is one of OVH's.
type Customer struct {
	Nichandle string
	Accounts  map[string]*BillingAccount
}

// BillingAccount holds services and queues by their names.
type BillingAccount struct {
	Services    map[string]map[int64]Consumption
	EasyHunting map[string]map[int64]Record
	OvhPabx     map[string]map[int64]Record
}

// Consumption is telephony.VoiceConsumption. Raw is answered in its place, if it is set.
type Consumption struct {
	ConsumptionID    int64     `json:"consumptionId"`
	Calling          string    `json:"calling"`
	Called           string    `json:"called"`
	Dialed           string    `json:"dialed"`
	CreationDatetime time.Time `json:"creationDatetime"`
	Duration         int64     `json:"duration"`
	HangupNature     string    `json:"hangupNature"`
	WayType          string    `json:"wayType"`
	PlanType         string    `json:"planType"`
	DestinationType  string    `json:"destinationType"`
	Designation      string    `json:"designation"`
	CountrySuffix    *string   `json:"countrySuffix"`
	Raw              string    `json:"-"`
}

// Record is telephony.OvhPabxRecord, and what easyHunting's records are.
type Record struct {
	ID                int64      `json:"id"`
	Agent             string     `json:"agent"`
	CallStart         time.Time  `json:"callStart"`
	CallEnd           *time.Time `json:"callEnd"`
	CallerIDName      string     `json:"callerIdName"`
	CallerIDNumber    string     `json:"callerIdNumber"`
	DestinationNumber string     `json:"destinationNumber"`
	Duration          int64      `json:"duration"`
	FileURL           string     `json:"fileUrl"`
}

// Add makes a customer known.
func (s *Server) Add(c *Customer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.customers[c.Nichandle] = c
}

// Customer is one that was added, for a change.
func (s *Server) Customer(nichandle string) *Customer { return s.customers[nichandle] }

// Change changes what the server knows, between two requests.
func (s *Server) Change(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// File makes the data of a recording known, and answers where it lies.
func (s *Server) File(name string, data []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files["/files/"+name] = data
	return s.http.URL + "/files/" + name
}

// file answers the data of a recording, from what is not the API: nothing that identifies anybody may come here.
func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Ovh") || name == "Authorization" || name == "Cookie" {
			s.t.Errorf("%s was sent to where a file lies", name)
		}
	}
	s.mu.Lock()
	data, ok := s.files[r.URL.Path]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "audio/x-wav")
	_, _ = w.Write(data) // whoever asked may have gone away
}

// read answers what a customer may see. The server is locked.
func (s *Server) read(w http.ResponseWriter, r *http.Request, c *Credential, path string) {
	customer := s.customers[c.Customer]
	if customer == nil {
		s.t.Errorf("a key of %q, who is nobody", c.Customer)
		return
	}
	var at []string
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		plain, err := url.PathUnescape(part)
		if err != nil {
			Refuse(w, 400, "INVALID_ARGUMENT", "the path is not well formed")
			return
		}
		at = append(at, plain)
	}
	switch {
	case path == "/auth/currentCredential":
		answer(w, map[string]any{"credentialId": 1, "applicationId": 2, "status": c.Status, "rules": c.Rules, "ovhSupport": false,
			"creation": time.Now().Add(-time.Hour), "expiration": nil, "allowedIPs": nil, "lastUse": nil})
	case path == "/me":
		answer(w, map[string]any{"nichandle": customer.Nichandle, "email": "nobody@example.org", "country": "FR"})
	case path == "/telephony":
		answer(w, slices.Sorted(maps.Keys(customer.Accounts)))
	case at[0] == "telephony" && len(at) > 2 && customer.Accounts[at[1]] != nil:
		customer.Accounts[at[1]].read(w, r, at[2:])
	default:
		missing(w)
	}
}

func missing(w http.ResponseWriter) {
	Refuse(w, 404, "NOT_FOUND", "The requested object (serviceName = 0033900000000) does not exist")
}

func (b *BillingAccount) read(w http.ResponseWriter, r *http.Request, at []string) {
	kinds := map[string]map[string]map[int64]Record{"easyHunting": b.EasyHunting, "ovhPabx": b.OvhPabx}
	switch queues, isQueue := kinds[at[0]]; {
	case at[0] == "service" && len(at) == 1:
		answer(w, slices.Sorted(maps.Keys(b.Services)))
	case at[0] == "service" && len(at) >= 3 && at[2] == "voiceConsumption" && b.Services[at[1]] != nil:
		consumptions(w, r, b.Services[at[1]], at[3:])
	case isQueue && len(at) == 1:
		answer(w, slices.Sorted(maps.Keys(queues)))
	case isQueue && len(at) == 3 && at[2] == "records" && queues[at[1]] != nil:
		answer(w, slices.Sorted(maps.Keys(queues[at[1]])))
	case isQueue && len(at) == 4 && at[2] == "records":
		id, err := strconv.ParseInt(at[3], 10, 64)
		if record, there := queues[at[1]][id]; there && err == nil {
			answer(w, record)
			return
		}
		missing(w)
	default:
		missing(w)
	}
}

// consumptions answers the list of ids, or one of them.
func consumptions(w http.ResponseWriter, r *http.Request, calls map[int64]Consumption, at []string) {
	if len(at) == 0 {
		from, err := time.Parse(time.RFC3339, r.URL.Query().Get("creationDatetime.from"))
		if err != nil {
			Refuse(w, 400, "INVALID_ARGUMENT", "Invalid creationDatetime.from")
			return
		}
		ids := []int64{} // an empty list is no null
		for _, id := range slices.Sorted(maps.Keys(calls)) {
			if calls[id].Raw != "" || !calls[id].CreationDatetime.Before(from) {
				ids = append(ids, id)
			}
		}
		answer(w, ids)
		return
	}
	id, err := strconv.ParseInt(at[0], 10, 64)
	call, there := calls[id]
	switch {
	case err != nil || !there:
		missing(w)
	case call.Raw != "":
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprint(w, call.Raw)
	default:
		answer(w, call)
	}
}
