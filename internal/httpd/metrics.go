package httpd

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Metrics are the figures of /metrics, in Prometheus' text format 0.0.4. Written here and not taken from Prometheus' client, which with
// its protobuf costs a program that does little else a tenth of its memory: see docs/adr/0005-idle-memory.md.
type Metrics struct {
	panics atomic.Uint64

	mu      sync.Mutex // held by who adds to one of the two
	routes  atomic.Pointer[map[routeKey]*routeSeries]
	figures []Figure
}

type routeKey struct {
	route  string
	status int
}

// buckets are the upper bounds of a histogram, in seconds.
var buckets = [...]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

type routeSeries struct {
	counts [len(buckets) + 1]atomic.Uint64 // not cumulative; the last is of what took longer
	nanos  atomic.Int64
}

// NewMetrics counts requests; Watch adds figures that somebody else counts.
func NewMetrics() *Metrics {
	m := &Metrics{}
	m.routes.Store(&map[routeKey]*routeSeries{})
	m.Watch(
		Figure{Name: "switchboard_panics_total", Help: "Requests that panicked.", Rises: true, Read: func() float64 { return float64(m.panics.Load()) }},
		Figure{Name: "go_goroutines", Help: "Goroutines that exist.", Read: func() float64 { return float64(runtime.NumGoroutine()) }},
	)
	return m
}

// Figure is something that somebody else counts.
type Figure struct {
	Name, Help string
	Rises      bool // it only ever rises
	Read       func() float64
}

// Watch adds figures. They are read when somebody asks for them.
func (m *Metrics) Watch(figures ...Figure) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.figures = append(m.figures, figures...)
}

// request counts one. The routes are the patterns of the mux, so their number is bounded whatever clients ask for.
func (m *Metrics) request(route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	s := (*m.routes.Load())[routeKey{route, status}]
	if s == nil {
		s = m.grow(routeKey{route, status})
	}
	i, _ := slices.BinarySearch(buckets[:], took.Seconds())
	s.counts[i].Add(1)
	s.nanos.Add(int64(took))
}

func (m *Metrics) grow(key routeKey) *routeSeries {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.routes.Load()
	if s := old[key]; s != nil {
		return s
	}
	next, s := maps.Clone(old), &routeSeries{}
	next[key] = s
	m.routes.Store(&next)
	return s
}

// ServeHTTP answers /metrics.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	var out bytes.Buffer
	m.writeRoutes(&out)
	m.mu.Lock()
	figures := slices.Clone(m.figures)
	m.mu.Unlock()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	figures = append(figures, Figure{Name: "go_memstats_heap_inuse_bytes", Help: "Memory of the heap.", Read: func() float64 { return float64(mem.HeapInuse) }})
	for _, f := range figures {
		kind := "gauge"
		if f.Rises {
			kind = "counter"
		}
		header(&out, f.Name, f.Help, kind)
		fmt.Fprintf(&out, "%s %s\n", f.Name, number(f.Read()))
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(out.Bytes()) // a client that went away
}

func (m *Metrics) writeRoutes(out *bytes.Buffer) {
	routes := *m.routes.Load()
	keys := slices.SortedFunc(maps.Keys(routes), func(a, b routeKey) int {
		return slices.Compare([]string{a.route, strconv.Itoa(a.status)}, []string{b.route, strconv.Itoa(b.status)})
	})
	const name = "switchboard_http_request_seconds"
	header(out, name, "Time to answer, by route and status. Event streams count when they end.", "histogram")
	for _, k := range keys {
		s, labels, sum := routes[k], fmt.Sprintf("route=%q,status=\"%d\"", k.route, k.status), uint64(0)
		for i := range s.counts {
			bound := math.Inf(1)
			if i < len(buckets) {
				bound = buckets[i]
			}
			sum += s.counts[i].Load()
			fmt.Fprintf(out, "%s_bucket{%s,le=\"%s\"} %d\n", name, labels, number(bound), sum)
		}
		fmt.Fprintf(out, "%s_sum{%s} %s\n", name, labels, number(time.Duration(s.nanos.Load()).Seconds()))
		fmt.Fprintf(out, "%s_count{%s} %d\n", name, labels, sum)
	}
}

func header(out *bytes.Buffer, name, help, kind string) {
	fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
