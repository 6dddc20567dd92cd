package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

var heads = []string{"workload", "clients", "baseline", "switchboard", "ratio", "aim", "CPU us an op", "aim", "p50 ms", "p99 ms", "spread", "others"}

const legend = `
Where a cell says "a > b", a is the baseline and b the switchboard. Ratios of w1 and w2 are of rates: more is better; all others are of
times or sizes: less is better. In brackets: for orientation, no aim. CPU is the server's, for one answer or one delivery. spread: how far the
baseline's runs before and after lie apart; others: the share of the machine that neither server nor client used. Where these two are large, measure again.
`

// writeTable prints what was found as a table in Markdown.
func writeTable(w io.Writer, found []comparison) error {
	if len(found) == 0 {
		return nil
	}
	lines := [][]string{heads}
	for _, c := range found {
		lines = append(lines, c.lines()...)
	}
	width := make([]int, len(heads))
	for _, l := range lines {
		for i, cell := range l {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for i, l := range lines {
		writeLine(&b, l, width, " ")
		if i == 0 {
			writeLine(&b, make([]string, len(heads)), width, "-")
		}
	}
	b.WriteString(legend)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeLine(b *strings.Builder, cells []string, width []int, fill string) {
	for i, cell := range cells {
		b.WriteString("|" + fill + cell + strings.Repeat(fill, width[i]-utf8.RuneCountInString(cell)) + fill)
	}
	b.WriteString("|\n")
}

// lines are the rows of one comparison.
func (c comparison) lines() [][]string {
	if c.Ours.Start > 0 {
		start := func(r run) float64 { return r.Start }
		mem := func(r run) float64 { return r.Idle }
		return [][]string{
			c.line(c.What, c.size(start, "ms", c.Goal.Start)),
			c.line(c.What+", idle memory", c.size(mem, "MB", c.Goal.Idle)),
		}
	}
	out := [][]string{c.speed()}
	if c.Ours.Socket > 0 {
		out = append(out, c.line("w4 memory of a socket", c.size(func(r run) float64 { return r.Socket }, "KB", c.Goal.Socket)))
	}
	return out
}

// sized is what one number of both servers looks like.
type sized struct{ base, ours, ratio, aim string }

func (c comparison) size(of func(run) float64, unit string, goal float64) sized {
	base, ours := c.base(of), of(c.Ours)
	s := sized{base: short(base) + " " + unit, ours: short(ours) + " " + unit}
	if base > 0 {
		s.ratio = fmt.Sprintf("%.2f", ours/base)
	}
	s.aim = aim("<=", goal, ours <= goal, short)
	return s
}

func (c comparison) line(what string, s sized) []string {
	l := make([]string, len(heads))
	copy(l, []string{what, c.clients(), s.base, s.ours, s.ratio, s.aim})
	return l
}

func (c comparison) clients() string {
	if c.Ours.Clients == 0 {
		return ""
	}
	return fmt.Sprint(c.Ours.Clients)
}

// speed is the row of a workload.
func (c comparison) speed() []string {
	unit := " ms"
	if c.Goal.Of == perSecond {
		unit = "/s"
	}
	two := func(v float64) string { return fmt.Sprintf("%.2f", v) }
	reached := aim(">=", c.Goal.AtLeast, c.ratio() >= c.Goal.AtLeast, two)
	if c.Goal.AtMost > 0 {
		reached = aim("<=", c.Goal.AtMost, c.ratio() <= c.Goal.AtMost, two)
	}
	pair := func(of func(run) float64) string { return short(c.base(of)) + " > " + short(of(c.Ours)) }
	cpu := func(r run) float64 { return r.CPU }
	return []string{c.What, c.clients(), short(c.base(c.Goal.Of.of)) + unit, short(c.Goal.Of.of(c.Ours)) + unit, two(c.ratio()), reached,
		pair(cpu), aim("<=", c.Goal.CPU, c.Ours.CPU <= c.Goal.CPU, short),
		pair(func(r run) float64 { return r.P50 }), pair(func(r run) float64 { return r.P99 }),
		fmt.Sprintf("%.0f%%", 100*c.spread()), fmt.Sprintf("%.0f%%", 100*c.others())}
}

func aim(sign string, goal float64, met bool, form func(float64) string) string {
	switch {
	case goal == 0:
		return ""
	case met:
		return sign + " " + form(goal) + ", met"
	default:
		return sign + " " + form(goal) + ", not met"
	}
}

// short is a number with about three digits that matter.
func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}
