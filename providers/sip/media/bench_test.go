package media

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// peersEnv makes the test program play the telephones instead, in a process of its own: so what is measured is the engine alone.
const peersEnv = "SWITCHBOARD_BENCH_PEERS"

const (
	benchSeconds = 8
	benchSlots   = 20 // within 20 ms: not all telephones speak at the same instant
)

// peersPlan is what the process of the telephones is told, and peersReport what it answers.
type peersPlan struct{ To []uint16 }

type peersReport struct {
	Ports          []uint16
	Sent, Received uint64
}

type counting struct{ packets *atomic.Uint64 }

func (c counting) arrived(_ bool, packet []byte, _ netip.AddrPort, _ time.Time) {
	if !isControl(packet) {
		c.packets.Add(1)
	}
}

// playPeers opens sockets, says their ports, hears where to send to, and sends.
func playPeers() int {
	n, err := strconv.Atoi(os.Getenv(peersEnv))
	if err == nil {
		err = runPeers(n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runPeers(n int) error {
	p, err := newPoller()
	if err != nil {
		return err
	}
	var received atomic.Uint64
	var report peersReport
	sockets := make([]*socket, n)
	for i := range sockets {
		var port uint16
		if sockets[i], port, err = p.listen(netip.AddrPortFrom(home, 0), false, counting{&received}); err != nil {
			return err
		}
		report.Ports = append(report.Ports, port)
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(report); err != nil {
		return err
	}
	var plan peersPlan
	if err := json.NewDecoder(bufio.NewReader(os.Stdin)).Decode(&plan); err != nil {
		return err
	}
	to := make([]sockaddr, n)
	for i := range to {
		to[i] = sockaddrOf(netip.AddrPortFrom(home, plan.To[i]), false)
	}
	report = peersReport{Sent: speakAll(sockets, to)}
	for report.Received != received.Load() { // what is on its way
		report.Received = received.Load()
		<-time.After(500 * time.Millisecond)
	}
	return out.Encode(report)
}

// speakAll has every telephone send a frame every 20 ms.
func speakAll(sockets []*socket, to []sockaddr) (sent uint64) {
	packet := make([]byte, headerSize+frame)
	copy(packet[headerSize:], toneFrame(440, 0, pcmu))
	begin := time.Now()
	for beat := range benchSeconds * 50 * benchSlots {
		if wait := time.Until(begin.Add(time.Duration(beat) * tick / benchSlots)); wait > 0 {
			<-time.After(wait)
		}
		turn := beat / benchSlots
		for i := beat % benchSlots; i < len(sockets); i += benchSlots {
			header{number: byte(i % 2 * pcma), seq: uint16(turn), ts: uint32(turn * frame), ssrc: uint32(i)}.put(packet)
			if sockets[i].send(packet, &to[i]) == nil {
				sent++
			}
		}
	}
	return sent
}

// BenchmarkBridgedCalls bridges and records so many calls at once (PCMU on one side, PCMA on the other, so that all of it is transcoded)
// and says what one costs. Run it with -benchtime 1x.
func BenchmarkBridgedCalls(b *testing.B) {
	for _, calls := range []int{100, 500, 1000} {
		b.Run(strconv.Itoa(calls), func(b *testing.B) {
			for range b.N {
				bridgeCalls(b, calls)
			}
		})
	}
}

func bridgeCalls(b *testing.B, calls int) {
	peers, finish := startPeers(b, 2*calls)
	debug.FreeOSMemory()
	memory := resident(b)
	plan, recorders := wire(b, calls, peers.Ports)
	before, begin := processor(b), time.Now()
	b.ResetTimer()
	peers = finish(plan)
	spent, took := processor(b)-before, time.Since(begin)
	memory = resident(b) - memory
	b.StopTimer()
	for _, r := range recorders {
		if _, err := r.Stop(); err != nil {
			b.Fatal(err)
		}
	}
	// By the packet, a hundred of which a call has each second: on a busy machine the telephones fall behind real time.
	b.ReportMetric(100*100*spent.Seconds()/float64(peers.Sent), "%core/call")
	b.ReportMetric(took.Seconds()/benchSeconds, "xrealtime")
	b.ReportMetric(float64(memory)/1024/float64(calls), "MiB/call")
	b.ReportMetric(float64(int64(peers.Sent)-int64(peers.Received)), "lost")
}

// startPeers starts the process of the telephones. What it gives back has them speak, and waits until they have done.
func startPeers(b *testing.B, n int) (peersReport, func(peersPlan) peersReport) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), peersEnv+"="+strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	answers := json.NewDecoder(bufio.NewReader(stdout))
	var report peersReport
	if err := answers.Decode(&report); err != nil {
		b.Fatal(err)
	}
	return report, func(plan peersPlan) peersReport {
		if err := json.NewEncoder(stdin).Encode(plan); err != nil {
			b.Fatal(err)
		}
		var report peersReport
		if err := answers.Decode(&report); err != nil {
			b.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		return report
	}
}

// wire opens, bridges and records the calls between those telephones.
func wire(b *testing.B, calls int, ports []uint16) (plan peersPlan, recorders []*Recorder) {
	b.Helper()
	e, dir := newEngine(b), b.TempDir()
	for i := range calls {
		var legs [2]*Leg
		for side := range legs {
			legs[side] = openLeg(b, e, LegOptions{})
			if _, err := legs[side].Answer(describePeer(int(ports[2*i+side]), []string{"0 101", "8 101"}[side])); err != nil {
				b.Fatal(err)
			}
			plan.To = append(plan.To, legs[side].pair.port)
		}
		if _, err := Connect(legs[0], legs[1]); err != nil {
			b.Fatal(err)
		}
		r, err := Record(filepath.Join(dir, strconv.Itoa(i)+".wav"), legs[0], legs[1])
		if err != nil {
			b.Fatal(err)
		}
		recorders = append(recorders, r)
	}
	return plan, recorders
}

// processor is what this process has used of the processors.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is this process's memory, in KiB.
func resident(b *testing.B) int {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return n
}
