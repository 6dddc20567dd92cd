package main

import (
	"strings"
	"testing"
	"time"
)

func TestFigures(t *testing.T) {
	for _, tt := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{4, 2}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{1, 2, 3, 10}, 2.5}} {
		if got := median(tt.of); got != tt.want {
			t.Errorf("median of %v is %v", tt.of, got)
		}
	}
	took := make([]time.Duration, 100)
	for i := range took {
		took[i] = time.Duration(100-i) * time.Millisecond
	}
	var r run
	r.times(took)
	if r.P50 != 51 || r.P99 != 100 || r.Max != 100 {
		t.Errorf("p50 %v p99 %v max %v", r.P50, r.P99, r.Max)
	}
	var none run
	none.times(nil)
	if none.P50 != 0 || none.Max != 0 {
		t.Errorf("of nothing: %+v", none)
	}
}

func TestSpent(t *testing.T) {
	r := run{Ops: 1000}
	r.spent(usage{}, usage{server: 100 * time.Millisecond, client: 50 * time.Millisecond, busy: 350 * time.Millisecond, all: time.Second})
	if r.CPU != 100 || r.Client != 50 || r.Others != 0.2 {
		t.Errorf("%+v", r)
	}
	var none run
	none.spent(usage{}, usage{server: time.Second})
	if none.CPU != 0 || none.Others != 0 {
		t.Errorf("of nothing: %+v", none)
	}
}

// TestTable is the table as a person reads it.
func TestTable(t *testing.T) {
	found := []comparison{
		{What: "w1 send", Goal: goal{AtLeast: 2.5, CPU: 110},
			Ours: run{Clients: 32, Rate: 12500, P50: 2.5, P99: 4, CPU: 98.4, Others: 0.02},
			Base: []run{{Rate: 4900, P50: 6, P99: 9, CPU: 70}, {Rate: 5100, P50: 6, P99: 11, CPU: 72, Others: 0.11}}},
		{What: "w4 event", Goal: goal{AtMost: 0.95, Of: last, CPU: 14, Socket: 18},
			Ours: run{Clients: 1000, Last: 12, P50: 8, P99: 12, CPU: 14.2, Socket: 17.5},
			Base: []run{{Last: 10, P50: 6, P99: 10, CPU: 13, Socket: 18}, {Last: 10, P50: 6, P99: 10, CPU: 13, Socket: 18}}},
		{What: "cold start", Goal: goal{Start: 70, Idle: 29}, Ours: run{Start: 80, Idle: 28.5}, Base: []run{{Start: 20, Idle: 8}}},
	}
	var b strings.Builder
	if err := writeTable(&b, found); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"| workload                | clients | baseline | switchboard | ratio | aim              | CPU us an op | aim             | p50 ms       | p99 ms       | spread | others |",
		"|-------------------------|---------|----------|-------------|-------|------------------|--------------|-----------------|--------------|--------------|--------|--------|",
		"| w1 send                 | 32      | 5000/s   | 12500/s     | 2.50  | >= 2.50, met     | 71.0 > 98.4  | <= 110, met     | 6.00 > 2.50  | 10.0 > 4.00  | 4%     | 11%    |",
		"| w4 event                | 1000    | 10.0 ms  | 12.0 ms     | 1.20  | <= 0.95, not met | 13.0 > 14.2  | <= 14.0, not met | 6.00 > 8.00 | 10.0 > 12.0  | 0%     | 0%     |",
	}
	got := strings.Split(b.String(), "\n")
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	for i, line := range want {
		if i != 1 && squeeze(got[i]) != squeeze(line) {
			t.Errorf("line %d\n got %s\nwant %s", i, got[i], line)
		}
	}
	for i := range 7 {
		if len(got[i]) != len(got[0]) {
			t.Errorf("line %d is not as wide as the first: %s", i, got[i])
		}
	}
	for _, cells := range []string{"| w4 memory of a socket | 1000 | 18.0 KB | 17.5 KB | 0.97 | <= 18.0, met |",
		"| cold start | | 20.0 ms | 80.0 ms | 4.00 | <= 70.0, not met |", "| cold start, idle memory | | 8.00 MB | 28.5 MB | 3.56 | <= 29.0, met |"} {
		if !strings.Contains(squeeze(b.String()), cells) {
			t.Errorf("no line %s in\n%s", cells, b.String())
		}
	}
}

func TestEmptyTable(t *testing.T) {
	var b strings.Builder
	if err := writeTable(&b, nil); err != nil || b.Len() != 0 {
		t.Fatalf("%q, %v", b.String(), err)
	}
}
