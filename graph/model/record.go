package model

import (
	"context"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/carrier"
	"switchboard/internal/clock"
)

// Direction is which way a call went: of calls and of their records, which the store keeps apart.
type Direction string

// The directions.
const (
	Incoming Direction = "incoming"
	Outgoing Direction = "outgoing"
)

// CallRecord is a call record with what its list shares.
type CallRecord struct {
	*comms.CallRecord
	RecordingURL *string // nil: there is nothing to fetch
	Calls        *Batch[*Call]
	Links        *Batch[*CarrierLink]
}

// RecordCalls are the ids of the calls that records are of.
func RecordCalls(list []*comms.CallRecord) func() []uuid.UUID {
	return ids(list, func(r *comms.CallRecord) uuid.UUID { return idOrNil(r.CallID) })
}

// RecordLinks are the ids of the links by which records were imported.
func RecordLinks(list []*comms.CallRecord) func() []uuid.UUID {
	return ids(list, func(r *comms.CallRecord) uuid.UUID { return idOrNil(r.CarrierID) })
}

// Calling is who called; nil: the number was withheld.
func (r *CallRecord) Calling() *string { return orNil(r.CallRecord.Calling) }

// Direction is which way it went.
func (r *CallRecord) Direction() Direction { return Direction(r.CallRecord.Direction) }

// Call is what it is the record of.
func (r *CallRecord) Call(ctx context.Context) (*Call, error) {
	return r.Calls.Get(ctx, idOrNil(r.CallID))
}

// CarrierLink is the link by which it was imported.
func (r *CallRecord) CarrierLink(ctx context.Context) (*CarrierLink, error) {
	return r.Links.Get(ctx, idOrNil(r.CarrierID))
}

// CallRecordConnection is a page of call records, and where all that its filter finds can be fetched.
type CallRecordConnection struct {
	*Connection[CallRecord]
	CsvURL          string
	CsvURLExpiresAt clock.Micros
}

// CarrierLink is a link to a carrier; its key is no part of what is shown.
type CarrierLink struct{ *comms.CarrierLink }

// Identity is the customer's name at the carrier; nil: it is not known yet.
func (l *CarrierLink) Identity() *string { return orNil(l.CarrierLink.Identity) }

// ImportEvery is how long it waits between imports: it is stored in seconds.
func (l *CarrierLink) ImportEvery() time.Duration { return time.Duration(l.Every) * time.Second }

// Problem is why the latest import failed; nil: it did not.
func (l *CarrierLink) Problem() *carrier.Problem {
	if l.CarrierLink.Problem == "" {
		return nil
	}
	p := carrier.Problem(l.CarrierLink.Problem)
	return &p
}

// Importing tells whether an import is under way.
func (l *CarrierLink) Importing() bool { return carrier.Importing(l.CarrierLink) }

// Progress is how far the import has come.
func (l *CarrierLink) Progress() *ImportProgress {
	return &ImportProgress{Done: l.Done, Total: l.Total, Added: l.Added}
}

// ImportProgress is how far an import has come.
type ImportProgress struct{ Done, Total, Added int }
