package carrier

import (
	"errors"
	"fmt"
	"time"

	"switchboard/comms/record"
	"switchboard/ent/callrecord"
	"switchboard/internal/clock"
)

// longestCall is the longest that is believed of a call.
const longestCall = 7 * 24 * time.Hour

var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// accept makes a record of what a carrier told, or says what is wrong with that without showing it: the log holds no telephone numbers. How
// a number is written is for comms/record, which searches for it.
func accept(foreign string, call *Call, at clock.Micros) (record.NewRecord, error) {
	none := record.NewRecord{}
	direction := record.Incoming
	switch {
	case call.Way != "incoming" && call.Way != "outgoing" && call.Way != "transfer":
		return none, errors.New("a call that went in no way that we know")
	case call.Duration < 0 || call.Duration > longestCall:
		return none, fmt.Errorf("a call of %s", call.Duration)
	case call.StartedAt.Before(earliest) || call.StartedAt.After(at.Time().Add(24*time.Hour)):
		return none, fmt.Errorf("a call that began at %s", call.StartedAt.Format(time.RFC3339))
	case call.Way == "outgoing" || call.Way == "transfer" && call.Outgoing:
		direction = record.Outgoing
	}
	called, dialed := call.Called, call.Dialed
	if called == "" {
		called = dialed
	}
	if dialed == "" {
		dialed = called
	}
	if called == "" {
		return none, errors.New("a call to nobody")
	}
	return record.NewRecord{ForeignID: foreign, Calling: call.Calling, Called: called, Dialed: dialed, Direction: direction,
		Way: callrecord.Way(call.Way), StartedAt: clock.From(call.StartedAt), Duration: int(call.Duration / time.Second), Hangup: call.Hangup}, nil
}
