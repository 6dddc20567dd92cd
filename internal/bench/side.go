package main

import (
	"context"
	"errors"
	"fmt"

	"switchboard/internal/bench/load"
)

// act is one thing that clients do, over and over, in one way of asking.
type act string

// The acts.
const (
	sendPlain     act = "send"               // baseline: POST /send
	sendLegacy    act = "send, JSON+0+data"  // baseline: POST /legacy
	sendGraphQL   act = "send, GraphQL"      // sendMessage
	sendMessaging act = "send, messaging"    // POST /message
	listPlain     act = "newest 50"          // baseline: GET /newest
	listReceived  act = "newest 50 received" // messages(filter)
	listAll       act = "newest 50, all"     // messages
	listNumbers   act = "5 numbers, REST"    // GET /api/numbers
)

// route says from whom to whom messages go.
type route int

// The routes.
const (
	toMany         route = iota // from the sender to a hundred numbers in turn
	toWatcher                   // from the sender to the account that is subscribed to
	toReader                    // from the sender to the account whose messages are listed
	readerOutwards              // from that account to somebody else
)

// side is a running server as the workloads see it.
type side interface {
	// open makes a client with a connection of its own.
	open(ctx context.Context, a act, r route) (*client, error)
	// subscribe returns once the next message to the watcher is sure to be delivered.
	subscribe(ctx context.Context) (*subscription, error)
}

// client makes one request at a time.
type client struct {
	conn  *load.Conn
	req   load.Request
	shape func(r *load.Request, k int) // makes the k-th request of req; nil: all are the same
	check func(status int, body []byte) error
}

// do makes the k-th request and returns an error where the answer is not the right one.
func (c *client) do(k int) error {
	if c.shape != nil {
		c.shape(&c.req, k)
	}
	status, body, err := c.conn.Do(c.req)
	if err != nil {
		return err
	}
	return c.check(status, body)
}

func (c *client) Close() error { return c.conn.Close() }

// subscription is a socket on which messages arrive.
type subscription struct {
	*load.Socket
	classify func(p []byte) (kind frame)
	pong     []byte
}

// frame is what a message on a socket is for.
type frame int

const (
	noise   frame = iota
	ready         // the subscription stands
	asks          // a ping of the subprotocol
	refuses       // the subscription failed or ended
)

var errRefused = errors.New("the server ended the subscription")

// next is the stamp of the next message that is delivered.
func (s *subscription) next() (load.Stamp, error) {
	for {
		p, err := s.ReadMessage()
		if err != nil {
			return load.Stamp{}, err
		}
		if st, ok := load.FindStamp(p); ok {
			return st, nil
		}
		if _, err := s.react(p); err != nil {
			return load.Stamp{}, err
		}
	}
}

// await passes over messages until the server says that it is ready.
func (s *subscription) await() error {
	for {
		p, err := s.ReadMessage()
		if err != nil {
			return err
		}
		if kind, err := s.react(p); err != nil || kind == ready {
			return err
		}
	}
}

func (s *subscription) react(p []byte) (frame, error) {
	kind := s.classify(p)
	switch kind {
	case asks:
		return kind, s.WriteText(s.pong)
	case refuses:
		return kind, fmt.Errorf("%w: %.300s", errRefused, p)
	default:
		return kind, nil
	}
}
