package main

// comparison is a run of the switchboard between runs of the baseline.
type comparison struct {
	What string `json:"what"`
	Ours run    `json:"run"`
	Base []run  `json:"baseline"`
	Goal goal   `json:"goal"`
}

// goal is what the project wants to reach. Zero: nothing in particular.
type goal struct {
	AtLeast float64 `json:"at_least,omitempty"` // of the baseline's rate
	AtMost  float64 `json:"at_most,omitempty"`  // of the baseline's time
	Of      figure  `json:"of,omitempty"`       // which time
	CPU     float64 `json:"cpu_us,omitempty"`   // an operation or delivery
	Socket  float64 `json:"kb_per_socket,omitempty"`
	Start   float64 `json:"start_ms,omitempty"`
	Idle    float64 `json:"idle_mb,omitempty"`
}

// figure names one number of a run.
type figure string

// The figures that are compared.
const (
	perSecond figure = ""
	p50       figure = "p50_ms"
	last      figure = "last_ms"
)

func (f figure) of(r run) float64 {
	switch f {
	case p50:
		return r.P50
	case last:
		return r.Last
	default:
		return r.Rate
	}
}

// graphqlSends, messagingSends and fanoutLasts are the aims of the project's issue by clients: rates, rates, and times, all as ratios
// to the baseline's.
var (
	graphqlSends   = map[int]float64{1: 0.90, 32: 2.5, 128: 3.0}
	messagingSends = map[int]float64{1: 0.95, 32: 3.3, 128: 4.5}
	fanoutLasts    = map[int]float64{1000: 0.95, 5000: 1.05}
)

// base is the median of the baseline's figure.
func (c comparison) base(of func(run) float64) float64 {
	all := make([]float64, len(c.Base))
	for i, r := range c.Base {
		all[i] = of(r)
	}
	return median(all)
}

// ratio is the switchboard's figure to the baseline's.
func (c comparison) ratio() float64 {
	if b := c.base(c.Goal.Of.of); b > 0 {
		return c.Goal.Of.of(c.Ours) / b
	}
	return 0
}

// spread is how far the baseline's own runs are apart, as a share of their median: where it is large, the machine was busy with other things
// and the ratio says little.
func (c comparison) spread() float64 {
	if len(c.Base) < 2 {
		return 0
	}
	a, b := c.Goal.Of.of(c.Base[0]), c.Goal.Of.of(c.Base[1])
	return (max(a, b) - min(a, b)) / ((a + b) / 2)
}

// others is the greatest share of the machine that somebody else used meanwhile.
func (c comparison) others() float64 {
	most := c.Ours.Others
	for _, r := range c.Base {
		most = max(most, r.Others)
	}
	return most
}
