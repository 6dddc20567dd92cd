package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// kamailioConfig registers everybody, asks who calls for the password (which follows from the name), and calls whom it knows, with
// rtpengine in between: the least that such a stack does. It keeps no record and hides nothing.
//
// rtpengine must forget a call when it is deleted, and have ports to spare. By default it keeps those of a call for 30 seconds more: 10,000 of
// them were gone at less than 200 calls a second, and while it looks for free ones the children of Kamailio wait, and nobody is answered.
const kamailioConfig = `#!KAMAILIO
debug=0
log_stderror=yes
children=8
listen=udp:127.0.0.1:%d
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "rtpengine.so"
modparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:%d")
modparam("usrloc", "db_mode", 0)
request_route {
	if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
	if (has_totag()) {
		if (loose_route()) {
			if (is_method("BYE")) rtpengine_delete();
			t_relay();
		} else if (is_method("ACK") && t_check_trans()) { t_relay(); }
		exit;
	}
	if (is_method("REGISTER")) { save("location"); exit; }
	if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
	$var(password) = "password" + $(au{s.substr,1,0});
	if (is_method("INVITE") && !pv_proxy_authenticate("bench", "$var(password)", "0")) { proxy_challenge("bench", "1"); exit; }
	if (!is_method("INVITE")) { sl_send_reply("200", "OK"); exit; }
	record_route();
	if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
	rtpengine_offer("replace-origin replace-session-connection");
	t_on_reply("ANSWER");
	t_relay();
}
onreply_route[ANSWER] {
	if (status =~ "200" && has_body("application/sdp")) rtpengine_answer("replace-origin replace-session-connection");
}
`

// startKamailio starts Kamailio with rtpengine; false: they are not installed.
func startKamailio(ctx context.Context, dir string) (s *server, there bool, err error) {
	if _, err := exec.LookPath("kamailio"); err != nil {
		return nil, false, nil
	}
	if _, err := exec.LookPath("rtpengine"); err != nil {
		return nil, false, nil
	}
	sip, control := freeUDP(), freeUDP()
	if sip == 0 || control == 0 {
		return nil, true, errors.New("no free port")
	}
	config := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(kamailioConfig, sip, control)), 0o600); err != nil {
		return nil, true, err
	}
	s = &server{sip: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sip)), whom: func(i int) string { return phoneName(2*i + 1) }}
	log, err := os.Create(filepath.Join(dir, "kamailio.log"))
	if err != nil {
		return nil, true, err
	}
	defer log.Close()
	for _, args := range [][]string{
		{"rtpengine", "--foreground", "--table=-1", "--interface=127.0.0.1", "--listen-ng=127.0.0.1:" + strconv.Itoa(control), "--port-min=30000",
			"--port-max=59999", "--delete-delay=0", "--log-level=3", "--log-stderr", "--pidfile=" + filepath.Join(dir, "rtpengine.pid")},
		{"kamailio", "-DD", "-E", "-m", "512", "-f", config, "-Y", dir, "-P", filepath.Join(dir, "kamailio.pid")},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdout, cmd.Stderr = log, log
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			return nil, true, errors.Join(err, s.stop())
		}
		s.processes = append(s.processes, cmd)
	}
	if err := s.answers(ctx); err != nil {
		text, _ := os.ReadFile(log.Name()) // what it said, if anything
		return nil, true, errors.Join(fmt.Errorf("start Kamailio: %w\n%s", err, text), s.stop())
	}
	return s, true, nil
}

// answers waits until REGISTER is taken.
func (s *server) answers(ctx context.Context) error {
	p, err := newPhone("1", "", s.sip)
	if err != nil {
		return err
	}
	defer p.close()
	for range 50 {
		d := &dialog{id: "probe" + strconv.FormatInt(time.Now().UnixNano(), 36), tag: "p", to: "<sip:1@127.0.0.1>"}
		d.cseq++
		if m, err := p.request(p.text("OPTIONS", "sip:"+s.sip.String(), d, "", ""), d, 200*time.Millisecond); err == nil && m.status > 0 {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errSilence
}

func freeUDP() int {
	l, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0
	}
	defer l.Close()
	return l.LocalAddr().(*net.UDPAddr).Port
}

// family is a process and all below it: Kamailio works in children.
func family(pid int) []int {
	out := []int{pid}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return out
	}
	for word := range strings.FieldsSeq(string(text)) {
		if child, err := strconv.Atoi(word); err == nil {
			out = append(out, family(child)...)
		}
	}
	return out
}
