package callrecords

import (
	"net/http"
	"strconv"

	"switchboard/comms/record"
)

// recordRow is a record, with the field names of OVH's VoiceConsumption (chosen).
type recordRow struct {
	ID               string  `json:"id"`
	Calling          string  `json:"calling"`
	Called           string  `json:"called"`
	Dialed           string  `json:"dialed"`
	Direction        string  `json:"direction"`
	WayType          string  `json:"wayType"`
	CreationDatetime string  `json:"creationDatetime"`
	Duration         int     `json:"duration"`
	HangupNature     string  `json:"hangupNature"`
	Recording        *string `json:"recording"`
}

// counted is a part of a list; how many there are in all is told in a header.
type counted struct {
	total int
	rows  []recordRow
}

// records searches. The total is that of the same search: blocked numbers do not count (documented).
func (d *door) records(r *http.Request, _ *object) (any, error) {
	q, err := readQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	base, err := d.base(r)
	if err != nil {
		return nil, err
	}
	total, err := d.Records.CountRecords(r.Context(), q.Search)
	if err != nil {
		return nil, err
	}
	out := counted{total: total, rows: []recordRow{}}
	if q.limit == 0 || q.offset >= total {
		return out, nil
	}
	rows, err := d.Records.RecordsAt(r.Context(), q.Search, q.limit, q.offset)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		out.rows = append(out.rows, rowOf(row, base))
	}
	return out, nil
}

// directions are the document's words.
var directions = map[record.Direction]string{record.Incoming: "IN", record.Outgoing: "OUT"}

func rowOf(r *record.Row, base string) recordRow {
	out := recordRow{ID: strconv.FormatInt(r.ID, 10), Calling: shown(r.Calling), Called: shown(r.Called), Dialed: shown(r.Dialed),
		Direction: directions[r.Direction], WayType: string(r.Way), CreationDatetime: instant(r.StartedAt), Duration: r.Duration,
		HangupNature: r.Hangup}
	if r.Recording != "" {
		link := base + r.Recording
		out.Recording = &link
	}
	return out
}
