package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// occupied is a server with a live socket and with a request of which half has come.
type occupied struct {
	*process
	socket *websocket.Conn
	half   net.Conn
	rest   string // of the request
}

func startOccupied(t *testing.T, args ...string) occupied {
	p := start(t, args...)
	var in struct {
		Data struct{ Register struct{ ApiKey string } }
	}
	p.ask("", `mutation { register(input: {email: "a@example.com", password: "correct horse"}) { apiKey } }`, &in)
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	socket, _, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(p.url, "http")+"/query", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	err = socket.WriteJSON(map[string]any{"type": "connection_init", "payload": map[string]string{"apiKey": in.Data.Register.ApiKey}})
	var ack struct{ Type string }
	if err = errors.Join(err, socket.ReadJSON(&ack)); err != nil || ack.Type != "connection_ack" {
		t.Fatal(ack, err)
	}
	half, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { half.Close() })
	body := `{"query":"{ captcha { a } }"}`
	// The server asks for the rest when it has begun to read: 100 Continue.
	fmt.Fprintf(half, "POST /query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	line, err := bufio.NewReaderSize(io.LimitReader(half, int64(len("HTTP/1.1 100 Continue\r\n\r\n"))), 64).ReadString('\n')
	if err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatal(line, err)
	}
	return occupied{p, socket, half, body}
}

// restarting waits until the socket was closed because the server stops.
func (b occupied) restarting() {
	b.Helper()
	if err := b.socket.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		b.Fatal(err)
	}
	for {
		_, frame, err := b.socket.ReadMessage()
		if websocket.IsCloseError(err, websocket.CloseServiceRestart) {
			return
		}
		if err != nil {
			b.Fatalf("the socket ended with %v", err)
		}
		if !strings.Contains(string(frame), "ping") {
			b.Fatalf("the socket got %s", frame)
		}
	}
}

func TestAStopDropsNothing(t *testing.T) {
	b := startOccupied(t)
	if err := b.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.restarting()
	if _, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://")); err == nil {
		t.Error("it takes new connections")
	}
	if _, err := io.WriteString(b.half, b.rest); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(b.half), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || !strings.Contains(string(body), `{"data":{"captcha"`) {
		t.Errorf("the request that ran: %d %s %v", res.StatusCode, body, err)
	}
	<-b.exited
	if code := b.command.ProcessState.ExitCode(); code != 0 || !strings.Contains(b.log.String(), "stopped") {
		t.Errorf("exit code %d\n%s", code, b.log)
	}
}

func TestAStopHasAnEnd(t *testing.T) {
	b := startOccupied(t, "--drain-timeout", "100ms")
	if code := b.stop(syscall.SIGTERM); code != 0 || !strings.Contains(b.log.String(), "cut off") {
		t.Errorf("exit code %d\n%s", code, b.log)
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	b := startOccupied(t, "--drain-timeout", "1h")
	if err := b.command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	b.restarting()
	b.stop(syscall.SIGINT)
	if status, ok := b.command.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", b.command.ProcessState)
	}
}
