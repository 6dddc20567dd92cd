package call

import (
	"testing"

	"switchboard/internal/house"
)

// BenchmarkCall is what one call between two firms costs the rules: routed, rung, answered, ended, with the records and the logs of both.
func BenchmarkCall(b *testing.B) {
	x := newExchange(b, house.SQLite(b), Options{Limits: Limits{AtOnce: 1e9, FreeAtOnce: 1e9, PerMinute: 1e9}})
	x.unlimited()
	b.ReportAllocs()
	for b.Loop() {
		v := x.route("3000", desk)
		x.must(x.calls.CallRinging(b.Context(), v.Call))
		x.must(x.calls.CallAnswered(b.Context(), v.Call))
		x.must(x.calls.CallEnded(b.Context(), v.Call, End{Why: WhyHungUp}))
	}
}
