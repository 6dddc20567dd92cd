package load

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Socket is a WebSocket (RFC 6455) that reads on one goroutine and writes on the same one.
type Socket struct {
	net net.Conn
	in  *bufio.Reader
	msg []byte
}

// Handshake says what to open.
type Handshake struct {
	Addr, Path string
	Protocol   string // empty: none is asked for
}

// Open makes a WebSocket. The key is RFC 6455's own example (section 1.2): nobody here has to tell servers from caches.
func Open(ctx context.Context, h Handshake) (*Socket, error) {
	c, err := dial(ctx, h.Addr)
	if err != nil {
		return nil, err
	}
	req := "GET " + h.Path + " HTTP/1.1\r\nHost: " + h.Addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	if h.Protocol != "" {
		req += "Sec-WebSocket-Protocol: " + h.Protocol + "\r\n"
	}
	if _, err := io.WriteString(c, req+"\r\n"); err != nil {
		return nil, errors.Join(fmt.Errorf("write the handshake: %w", err), c.Close())
	}
	s := &Socket{net: c, in: bufio.NewReaderSize(c, 1<<10)}
	answer, err := readHead(s.in)
	if err == nil && answer.status != 101 {
		err = fmt.Errorf("status %d", answer.status)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("handshake: %w", err), c.Close())
	}
	return s, nil
}

// Close ends the connection, without the closing handshake.
func (s *Socket) Close() error { return s.net.Close() }

// Opcodes of RFC 6455, section 5.2.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

const final = 0x80

// WriteText sends a text message.
func (s *Socket) WriteText(p []byte) error {
	_, err := s.net.Write(appendFrame(make([]byte, 0, len(p)+14), opText, p))
	return err
}

// appendFrame adds a client's frame. Its masking key is zero, which leaves the payload as it is (section 5.3).
func appendFrame(dst []byte, op byte, p []byte) []byte {
	dst = append(dst, final|op)
	switch {
	case len(p) < 126:
		dst = append(dst, 0x80|byte(len(p)))
	case len(p) < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(len(p)))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(len(p)))
	}
	dst = append(dst, 0, 0, 0, 0)
	return append(dst, p...)
}

// ReadMessage is the next message, good until the next ReadMessage. Pings are answered on the way; a close is an error.
func (s *Socket) ReadMessage() ([]byte, error) {
	s.msg = s.msg[:0]
	for {
		op, end, n, err := readFrameHead(s.in)
		if err != nil {
			return nil, err
		}
		at := len(s.msg)
		if s.msg, err = readFull(s.in, s.msg, n); err != nil {
			return nil, err
		}
		switch op {
		case opPing:
			if _, err := s.net.Write(appendFrame(nil, opPong, s.msg[at:])); err != nil {
				return nil, fmt.Errorf("answer a ping: %w", err)
			}
			s.msg = s.msg[:at]
		case opPong:
			s.msg = s.msg[:at]
		case opClose:
			return nil, fmt.Errorf("the server closed the socket: %.100q", s.msg[at:])
		default:
			if end {
				return s.msg, nil
			}
		}
	}
}

const maxMessage = 1 << 20

// readFrameHead reads what precedes a server's payload (section 5.2).
func readFrameHead(in *bufio.Reader) (op byte, end bool, n int, err error) {
	b, err := take(in, 2)
	if err != nil {
		return 0, false, 0, err
	}
	op, end, n = b[0]&0x0f, b[0]&final != 0, int(b[1]&0x7f)
	switch {
	case b[0]&0x70 != 0:
		return 0, false, 0, errors.New("a frame with an extension that was not asked for")
	case b[1]&0x80 != 0:
		return 0, false, 0, errors.New("a masked frame from the server")
	case op > opText && op < opClose || op > opPong:
		return 0, false, 0, fmt.Errorf("a frame with opcode %d", op)
	}
	switch n {
	case 126:
		if b, err = take(in, 2); err == nil {
			n = int(binary.BigEndian.Uint16(b))
		}
	case 127:
		if b, err = take(in, 8); err == nil {
			n = int(min(binary.BigEndian.Uint64(b), maxMessage+1))
		}
	}
	if err == nil && n > maxMessage {
		err = errors.New("a frame longer than any that belongs here")
	}
	return op, end, n, err
}

// take is the next n bytes, good until the next read, without a copy.
func take(in *bufio.Reader, n int) ([]byte, error) {
	b, err := in.Peek(n)
	if err != nil {
		return nil, err
	}
	_, err = in.Discard(n)
	return b, err
}

// Forever lifts the bound on how long the socket may wait.
func (s *Socket) Forever() error { return s.net.SetDeadline(time.Time{}) }
