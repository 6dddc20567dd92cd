package main

import (
	"context"
	_ "embed" // the scenarios
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// The load that both systems get, from a program that nobody here wrote.
var (
	//go:embed uac.xml
	callerScenario []byte
	//go:embed uas.xml
	calleeScenario []byte
)

// sippRates are what is offered to both, calls a second.
var sippRates = []float64{50, 200, 500, 1000}

// comparison is the same load of sipp on both systems.
type comparison struct {
	dir  string
	long time.Duration // of each rate
}

// run offers the switchboard and Kamailio with rtpengine the same rates, one right after the other.
func (c comparison) run(ctx context.Context, out io.Writer) error {
	for _, program := range []string{"sipp", "kamailio", "rtpengine"} {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Fprintf(out, "no comparison with Kamailio and rtpengine: %s is not installed (apt-get install kamailio rtpengine-daemon sip-tester)\n\n", program)
			return nil
		}
	}
	for name, text := range map[string][]byte{"uac.xml": callerScenario, "uas.xml": calleeScenario} {
		if err := os.WriteFile(filepath.Join(c.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	ours, err := startServer(ctx, c.dir, 1, false)
	if err != nil {
		return err
	}
	theirs, _, err := startKamailio(ctx, c.dir)
	if err != nil {
		return errors.Join(err, ours.stop())
	}
	fmt.Fprintf(out, "the same load of sipp on both, %s of each rate; Kamailio with rtpengine asks for passwords as we do, and keeps no record and masks nobody\n", c.long)
	fmt.Fprintln(out, "offered/s   ours: done  failed    mean  CPU a call   theirs: done  failed    mean  CPU a call   our CPU to theirs")
	for _, rate := range sippRates {
		var a, b sipped
		if a, err = c.load(ctx, ours, x, rate); err != nil {
			break
		}
		if b, err = c.load(ctx, theirs, phoneName(1), rate); err != nil {
			break
		}
		fmt.Fprintf(out, "%9.0f %12d %7d %7s %11s %14d %7d %7s %11s %19.2f\n", rate, a.done, a.failed, a.mean, a.cpu, b.done, b.failed, b.mean, b.cpu,
			float64(a.cpu)/float64(max(b.cpu, 1)))
	}
	fmt.Fprintln(out)
	return errors.Join(err, ours.stop(), theirs.stop())
}

// sipped is what sipp saw.
type sipped struct {
	done, failed int
	mean         time.Duration // from the first INVITE to the 200
	cpu          time.Duration // of the server, for each call that was done
}

// load has one telephone call another through the server at a rate. The one that is called is registered first, from the port that sipp takes
// over: a telephone is reached where its REGISTER came from.
func (c comparison) load(ctx context.Context, s *server, whom string, rate float64) (out sipped, err error) {
	callee, err := newPhone(phoneName(1), "password000001", s.sip)
	if err != nil {
		return out, err
	}
	port := callee.port()
	err = callee.register()
	callee.close()
	if err != nil {
		return out, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	common := []string{s.sip.String(), "-i", "127.0.0.1", "-nostdin", "-buff_size", "4194304", "-timeout_error"}
	uas := exec.CommandContext(running, "sipp", append(common, "-sf", filepath.Join(c.dir, "uas.xml"), "-p", strconv.Itoa(port))...)
	if err := uas.Start(); err != nil {
		return out, err
	}
	defer func() {
		stop()
		_ = uas.Wait() // it was killed
	}()
	before, err := s.usage()
	if err != nil {
		return out, err
	}
	stats := filepath.Join(c.dir, "sipp.csv")
	uac := exec.CommandContext(ctx, "sipp", append(common, "-sf", filepath.Join(c.dir, "uac.xml"), "-p", strconv.Itoa(freeUDP()), "-s", whom,
		"-key", "caller", phoneName(0), "-au", phoneName(0), "-ap", "password000000", "-r", strconv.Itoa(int(rate)),
		"-m", strconv.Itoa(int(rate*c.long.Seconds())), "-l", "10000", "-recv_timeout", "20000", "-trace_stat", "-stf", stats, "-fd", "1")...)
	var exit *exec.ExitError
	if err := uac.Run(); err != nil && !errors.As(err, &exit) { // that some calls failed is its exit status
		return out, err
	}
	after, err := s.usage()
	if err != nil {
		return out, err
	}
	if out, err = readStats(stats); err != nil {
		return out, err
	}
	if out.done > 0 {
		out.cpu = ((after.cpu - before.cpu) / time.Duration(out.done)).Round(time.Microsecond)
	}
	return out, os.Remove(stats)
}

// readStats reads the last line of sipp's statistics.
func readStats(file string) (out sipped, err error) {
	f, err := os.Open(file)
	if err != nil {
		return out, fmt.Errorf("what sipp saw: %w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord = ';', -1
	lines, err := r.ReadAll()
	if err != nil || len(lines) < 2 {
		return out, errors.Join(errors.New("sipp left no statistics"), err)
	}
	last := lines[len(lines)-1]
	for i, name := range lines[0][:min(len(lines[0]), len(last))] {
		switch name {
		case "SuccessfulCall(C)":
			out.done, err = strconv.Atoi(last[i])
		case "FailedCall(C)":
			out.failed, err = strconv.Atoi(last[i])
		case "ResponseTime1(C)":
			var h, m, s, us int
			_, err = fmt.Sscanf(last[i], "%d:%d:%d:%d", &h, &m, &s, &us)
			out.mean = time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(us)*time.Microsecond
			out.mean = out.mean.Round(100 * time.Microsecond)
		}
		if err != nil {
			return out, fmt.Errorf("%s of sipp: %w", name, err)
		}
	}
	return out, nil
}
