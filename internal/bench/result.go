package main

import (
	"slices"
	"time"
)

// run is one measurement of one server.
type run struct {
	Server  string  `json:"server"`
	Act     act     `json:"act"`
	Clients int     `json:"clients"`
	Ops     int     `json:"ops"`             // answers, or deliveries, within the measured time
	Rate    float64 `json:"ops_s,omitempty"` // a second
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
	Last    float64 `json:"last_ms,omitempty"`         // w4: until the last subscriber had the event, the median event
	CPU     float64 `json:"server_cpu_us_per_op"`      //
	Socket  float64 `json:"kb_per_socket,omitempty"`   // w4
	Start   float64 `json:"start_ms,omitempty"`        // cold: to the first answer
	Idle    float64 `json:"idle_mb,omitempty"`         // cold
	Client  float64 `json:"client_cpu_us_per_op"`      //
	Others  float64 `json:"others_busy"`               // share of the machine that was neither server nor client
	Missing int     `json:"missing,omitempty"`         // deliveries that did not come
	Doubled int     `json:"delivered_twice,omitempty"` //
}

// spent fills in what a stretch of time cost.
func (r *run) spent(from, to usage) {
	if r.Ops > 0 {
		r.CPU = micros(to.server-from.server) / float64(r.Ops)
		r.Client = micros(to.client-from.client) / float64(r.Ops)
	}
	if all := to.all - from.all; all > 0 {
		others := (to.busy - from.busy) - (to.server - from.server) - (to.client - from.client)
		r.Others = max(0, float64(others)/float64(all))
	}
}

// times fills in the percentiles; it sorts what it gets.
func (r *run) times(took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	r.P50, r.P99, r.Max = millis(quantile(took, 0.5)), millis(quantile(took, 0.99)), millis(took[len(took)-1])
}

// quantile is by the nearest rank, of what is sorted and not empty.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func median(of []float64) float64 {
	s := slices.Sorted(slices.Values(of))
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
