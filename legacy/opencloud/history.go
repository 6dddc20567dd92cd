package opencloud

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"

	"switchboard/comms/call"
)

type historyBody struct {
	History []callRow `json:"history"`
	Total   int       `json:"total"`
	Limit   int       `json:"limit"`
	Offset  int       `json:"offset"`
}

type callRow struct {
	ID        uuid.UUID `json:"id"`
	NumberID  uuid.UUID `json:"number_id"`
	CallerNum string    `json:"caller_num"`
	Status    string    `json:"status"`
	Duration  int       `json:"duration"` // seconds
	CreatedAt int64     `json:"created_at"`
	Number    string    `json:"number"`
	Alias     string    `json:"alias"`
}

func (d *door) history(r *http.Request, _ *object) (any, error) {
	want, err := historyOf(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	calls, total, err := d.Calls.CallHistory(r.Context(), want)
	if err != nil {
		return nil, err
	}
	rows := make([]callRow, len(calls))
	for i, c := range calls {
		rows[i] = callRow{ID: c.Call.ID, NumberID: *c.Call.NumberID, CallerNum: c.Call.Peer, Status: c.Outcome,
			Duration: c.Call.Duration, CreatedAt: c.Call.CreatedAt.Milli(), Number: c.Number, Alias: c.Alias}
	}
	return historyBody{rows, total, want.Limit, want.Offset}, nil
}

// historyOf reads the query, with the document's defaults for what it does not name.
func historyOf(query string) (call.History, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return call.History{}, badInput("the query can't be read")
	}
	h := call.History{Status: "all", Limit: 50}
	if q.Has("status") {
		if h.Status = q.Get("status"); h.Status == "" {
			return h, badInput("status must be answered, missed, blocked or all")
		}
	}
	for name, to := range map[string]*int{"limit": &h.Limit, "offset": &h.Offset} {
		if !q.Has(name) {
			continue
		}
		if *to, err = strconv.Atoi(q.Get(name)); err != nil {
			return h, badInput(name + " must be an integer")
		}
	}
	return h, nil
}
