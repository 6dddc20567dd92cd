package sip

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// A thousand calls, in every way that they end, leave nothing behind: no goroutine, no port, no file.
func TestThousandCallsLeaveNothing(t *testing.T) {
	d := openCalls(t, Options{})
	const pairs, rounds = 10, 100
	var all []pair
	for i := range pairs {
		all = append(all, pair{d.peer(fmt.Sprint(1100 + i)), d.peer(fmt.Sprint(1200 + i))})
	}
	d.scriptByCaller()
	many := func(rounds int) {
		var wait sync.WaitGroup
		for _, p := range all {
			wait.Go(func() {
				for round := range rounds {
					p.call(round)
				}
			})
		}
		wait.Wait()
		d.quiet()
		d.settled()
	}
	many(8) // what is made once, such as the store's connections, is not counted
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	many(rounds)
	d.until("the goroutines of before", func() bool { return runtime.NumGoroutine() <= goroutines })
	if now := openFiles(t); len(now) > len(files) {
		t.Errorf("%d files are open in place of %d:\n%s\n%s", len(now), len(files), now, files)
	}
	if got := d.engine.Stats().Legs; got != 0 {
		t.Errorf("%d media legs are left", got)
	}
}

type pair struct{ a, b *peer }

// call lets the one call the other, in the way that the round says.
func (p pair) call(round int) {
	from := p.a.call(p.b.number, p.a.sdp("sendrecv"))
	to := p.b.rung()
	switch round % 4 {
	case 0:
		to.answer(486, "Busy Here", "")
		p.b.asked("ACK")
		from.acknowledge(p.a.told(486))
	case 1:
		to.answer(180, "Ringing", "")
		p.a.told(180)
		from.send("CANCEL", "")
		to.reply(p.b.asked("CANCEL"), 200, "OK", "")
		to.answer(487, "Request Terminated", "")
		p.b.asked("ACK")
		p.a.told(200)
		from.acknowledge(p.a.told(487))
	default:
		to.answer(200, "OK", p.b.sdp("sendrecv"))
		p.b.asked("ACK")
		from.acknowledge(p.a.told(200))
		if round%4 == 2 {
			from.hangUp()
			to.hungUp()
		} else {
			to.hangUp()
			from.hungUp()
		}
	}
}

// settled waits until the transactions of what has ended are over.
func (d *callDesk) settled() {
	d.Helper()
	over := time.NewTimer(65 * sip.T1)
	defer over.Stop()
	<-over.C
}

// openFiles is what each file descriptor stands for, but for those of the store, which opens connections as it likes.
func openFiles(t *testing.T) []string {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range list {
		if name, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && !strings.Contains(name, "switchboard.db") { // the folder that was read is gone by now
			out = append(out, name)
		}
	}
	return out
}
