package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"switchboard/comms"
	"switchboard/comms/carrier"
	"switchboard/internal/config"
)

// importOVH imports the call records of all linked accounts at OVH, or of one account's.
func importOVH(ctx context.Context, line *config.Line, p program, r rules) error {
	screen := &progress{out: p.out, terminal: isTerminal(p.out)}
	err := r.carriers.Import(ctx, carrier.ImportNow{Email: line.Account, Progress: screen.show})
	screen.close()
	return err
}

// progress shows how imports go on: as a bar where somebody looks on, as lines where they are kept.
type progress struct {
	out      io.Writer
	terminal bool
	bar      *progressbar.ProgressBar
	printed  time.Time
}

const linesApart = 5 * time.Second

// show is told of a link whenever its import has come on, first when it begins and last when it ends.
func (p *progress) show(link *comms.CarrierLink) {
	running := carrier.Importing(link)
	switch {
	case p.terminal && running:
		p.draw(link)
	case !running:
		p.close()
		p.print(link, result(link))
	case time.Since(p.printed) >= linesApart:
		p.print(link, fmt.Sprintf("%d of %d records", link.Done, link.Total))
	}
}

func (p *progress) draw(link *comms.CarrierLink) {
	if p.bar == nil {
		p.bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(p.out), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionSetDescription(name(link)), progressbar.OptionSetItsString("records"), progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100*time.Millisecond))
	}
	if link.Total > 0 {
		p.bar.ChangeMax(link.Total)
		_ = p.bar.Set(link.Done) // what fails is the drawing, and the import must not
	}
}

// close takes the bar away.
func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

func (p *progress) print(link *comms.CarrierLink, text string) {
	fmt.Fprintf(p.out, "%s: %s\n", name(link), text)
	p.printed = time.Now()
}

func name(link *comms.CarrierLink) string { return string(link.Carrier) + " " + link.Identity }

func result(link *comms.CarrierLink) string {
	text := fmt.Sprintf("%d new of %d records", link.Added, link.Done)
	if link.Problem != "" {
		text += ", then " + link.Problem
		if link.NextAt != nil {
			text += "; again at " + link.NextAt.Time().Local().Format(time.TimeOnly)
		}
	}
	return text
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
