package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Period is a length of time, which may be written in days.
type Period time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Period) UnmarshalText(b []byte) error {
	s := string(b)
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no length of time: write 90s, 15m, 24h or 7d", s)
	}
	*p = Period(d)
	return nil
}

// Count is a number of things, at least one.
type Count int

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Count) UnmarshalText(b []byte) error {
	n, err := strconv.ParseInt(string(b), 10, 32)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number of one or more", b)
	}
	*c = Count(n)
	return nil
}

// Rate is so many in so much time; zero does not limit.
type Rate struct {
	N   int
	Per time.Duration
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Rate) UnmarshalText(b []byte) error {
	s := string(b)
	if s == "0" || s == "off" {
		*r = Rate{}
		return nil
	}
	count, per, _ := strings.Cut(s, "/")
	n, err := strconv.ParseUint(count, 10, 31)
	var p Period
	if err != nil || n == 0 || p.UnmarshalText([]byte(per)) != nil {
		return fmt.Errorf("%q is no rate: write 30/10m for 30 in ten minutes, or off", s)
	}
	*r = Rate{N: int(n), Per: time.Duration(p)}
	return nil
}

// Size is a number of bytes.
type Size int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (z *Size) UnmarshalText(b []byte) error {
	s := string(b)
	shift := 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			s, shift = n, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64>>shift {
		return fmt.Errorf("%q is no size: write 65536, 64KiB, 64MiB or 1GiB", b)
	}
	*z = Size(n << shift)
	return nil
}

// Listener is an address to listen on, or none.
type Listener struct {
	Address Address // empty: it follows from another
	Off     bool
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Listener) UnmarshalText(b []byte) error {
	if string(b) == "off" {
		*l = Listener{Off: true}
		return nil
	}
	var a Address
	if len(b) > 0 {
		if err := a.UnmarshalText(b); err != nil {
			return err
		}
	}
	*l = Listener{Address: a}
	return nil
}

// Ports is a range of ports; both zero: any.
type Ports struct{ First, Last uint16 }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Ports) UnmarshalText(b []byte) error {
	if string(b) == "0" {
		*p = Ports{}
		return nil
	}
	first, last, _ := strings.Cut(string(b), "-")
	f, err := strconv.ParseUint(first, 10, 16)
	l, err2 := strconv.ParseUint(last, 10, 16)
	if err != nil || err2 != nil || f < 1024 || l < f+3 {
		return fmt.Errorf("%q are no ports: write 20000-29999, or 0 for any", b)
	}
	*p = Ports{uint16(f), uint16(l)}
	return nil
}

// String is how it is written.
func (p Ports) String() string {
	if p == (Ports{}) {
		return "0"
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}
