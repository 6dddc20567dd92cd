package comms_test

import (
	"syscall"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/internal/house"
)

func BenchmarkSendMessage(b *testing.B) {
	for name, run := range map[string]func(b *testing.B, send func()){
		"alone": func(b *testing.B, send func()) {
			for b.Loop() {
				send()
			}
		},
		"32": func(b *testing.B, send func()) {
			b.SetParallelism(16)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					send()
				}
			})
		},
		"128": func(b *testing.B, send func()) {
			b.SetParallelism(64)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					send()
				}
			})
		},
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, house.SQLite(b))
			from, to := w.side(1), w.side(1)
			in := comms.SendMessage{From: from.numbers[0].ID, To: []string{to.numbers[0].Number}, Text: "a hundred bytes, or nearly so: the message that the benchmark of the whole program sends as well...."}
			b.ReportAllocs()
			before := cpu(b)
			run(b, func() {
				if _, err := w.svc.SendMessage(from.ctx, in); err != nil {
					b.Error(err)
				}
			})
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpu is the processor time that this process has used: on a machine that others use too it says more than the clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
