package privacycall

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"switchboard/comms/call"
	"switchboard/internal/clock"
)

// directions are the document's numbers for who may call whom. None is 0 (chosen).
var directions = map[string]string{"": "both", "0": "both", "1": "first", "2": "second"}

// bind binds Caller and Callee to a virtual number and begins to call them. The answer does not wait for the call.
func (d *door) bind(ctx context.Context, r *request) (*answer, error) {
	in, err := bindingOf(r)
	if err != nil {
		return nil, err
	}
	b, err := d.Calls.BindCall(ctx, *in)
	if err != nil {
		return nil, err
	}
	out := &answer{Flag: flagOK, Msg: shown(b.Number.Number)}
	if b.Call != nil {
		out.CallIdentifier = b.Call.ID.String()
	}
	return out, nil
}

// bindingOf reads the body: first the numbers that must be there (100008), then what they say (100006), then the rest.
func bindingOf(r *request) (*call.BindCall, error) {
	b := &call.BindCall{Application: r.app, AreaCode: r.in.text("Code")}
	parties := []struct {
		name string
		to   *string
	}{{"Caller", &b.Caller}, {"Callee", &b.Callee}}
	for _, p := range parties {
		if r.in.text(p.name) == "" {
			return nil, refusal{flagMissing, p.name + " is missing", http.StatusOK}
		}
	}
	for _, p := range parties {
		number, err := partyNumber(p.name, r.in.text(p.name))
		if err != nil {
			return nil, err
		}
		*p.to = number
	}
	if virtual := r.in.text("VirtualNum"); virtual != "" {
		number, err := virtualNumber(virtual)
		if err != nil {
			return nil, err
		}
		b.VirtualNum = number
	}
	var known bool
	if b.Direction, known = directions[r.in.text("Direct")]; !known {
		return nil, refusal{flagDirection, "Direct must be 0, 1 or 2", http.StatusOK}
	}
	var ok bool
	if b.ExpiresAt, b.TTL, ok = endOf(r.in.text("EndMinute")); !ok {
		return nil, refusal{flagEnd, "EndMinute must be minutes, 1 to 60, or YYYY-MM-DDThh:mm:ssZ", http.StatusOK}
	}
	return b, nil
}

// endOf reads EndMinute, which the document describes as an instant and shows as minutes: both are taken. Which are in range is a rule of
// bindings.
func endOf(text string) (at clock.Micros, in time.Duration, ok bool) {
	if text == "" {
		return 0, 0, true
	}
	if t, err := time.Parse("2006-01-02T15:04:05Z", text); err == nil {
		return clock.From(t), 0, true
	}
	minutes, err := strconv.ParseUint(text, 10, 16)
	return 0, time.Duration(minutes) * time.Minute, err == nil && minutes > 0
}
