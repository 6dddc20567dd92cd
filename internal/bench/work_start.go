package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// idle is how long after its start a process is looked at.
const idle = 2 * time.Second

// starting is cold: with the data of the workloads before it, and with none.
func (b *bench) starting(ctx context.Context) error {
	if err := b.stop(); err != nil {
		return err
	}
	if err := b.startAgain(ctx, "cold start, with data", func(c *contender, _ int) string { return c.dir }); err != nil {
		return err
	}
	return b.startAgain(ctx, "cold start, the first", func(c *contender, round int) string {
		return filepath.Join(b.dir, fmt.Sprintf("fresh-%d-%s", round, c.name))
	})
}

// startAgain starts both programs in turn a few times, and lets both idle after the last.
func (b *bench) startAgain(ctx context.Context, what string, dir func(c *contender, round int) string) error {
	programs := []*contender{b.base, b.ours}
	took := make([][]float64, len(programs))
	for round := range b.starts {
		for i, c := range programs {
			if err := c.down(); err != nil {
				return err
			}
			var err error
			if c.proc, err = c.start(ctx, dir(c, round)); err != nil {
				return err
			}
			took[i] = append(took[i], millis(c.proc.took))
			if round < b.starts-1 {
				if err := c.down(); err != nil {
					return err
				}
			}
		}
	}
	if err := pause(ctx, idle); err != nil {
		return err
	}
	runs := make([]run, len(programs))
	for i, c := range programs {
		kb, err := memory(c.proc.pid())
		if err != nil {
			return err
		}
		runs[i] = run{Server: c.name, Act: act(what), Ops: b.starts, Start: median(took[i]), Idle: float64(kb) / 1024}
	}
	b.found = append(b.found, comparison{What: what, Ours: runs[1], Base: runs[:1], Goal: goal{Start: 70, Idle: 29}})
	return b.stop()
}
