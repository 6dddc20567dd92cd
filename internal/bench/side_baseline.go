package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"switchboard/internal/bench/load"
)

// The baseline's accounts.
const (
	baseReader  = 1
	baseWatcher = 2
	baseSender  = 3
	baseMany    = 10 // the first of the hundred
)

// baselineSide is the bare server. Its accounts are there from the start.
type baselineSide struct{ addr string }

func (s baselineSide) open(ctx context.Context, a act, r route) (*client, error) {
	c := &client{check: answered}
	switch a {
	case sendPlain:
		c.req.Method, c.shape = "POST", plainSend(r)
	case sendLegacy:
		c.req.Method, c.req.Path, c.shape = "POST", "/legacy", legacySend(r)
	case listPlain:
		c.req.Method, c.req.Path = "GET", fmt.Sprintf("/newest?account=%d&n=%d", baseReader, pageSize)
		c.check = listed(pageSize)
	default:
		return nil, fmt.Errorf("the baseline does not know %q", a)
	}
	var err error
	c.conn, err = load.Dial(ctx, s.addr)
	return c, err
}

// baseTo is the account that gets the k-th message.
func baseTo(r route, k int) int {
	switch r {
	case toWatcher:
		return baseWatcher
	case toReader:
		return baseReader
	default:
		return baseMany + k%many
	}
}

func plainSend(route route) func(*load.Request, int) {
	paths := make([]string, many)
	for i := range paths {
		paths[i] = fmt.Sprintf("/send?from=%d&to=%d", baseSender, baseTo(route, i))
	}
	return func(r *load.Request, k int) {
		r.Path = paths[k%many]
		r.Body = load.Now(k).AppendTo(r.Body[:0])
	}
}

func legacySend(route route) func(*load.Request, int) {
	return func(r *load.Request, k int) {
		b := append(r.Body[:0], `{"from":"`...)
		b = strconv.AppendInt(b, baseSender, 10)
		b = append(b, `","to":"`...)
		b = strconv.AppendInt(b, int64(baseTo(route, k)), 10)
		b = append(b, `"}`...)
		r.Body = load.Now(k).AppendTo(append(b, 0))
	}
}

// answered wants a 200 with an id.
func answered(status int, body []byte) error {
	if status != 200 || !bytes.HasPrefix(body, []byte(`{"id":`)) {
		return fmt.Errorf("status %d: %.300s", status, body)
	}
	return nil
}

// listed wants a 200 with so many texts.
func listed(want int) func(int, []byte) error {
	return func(status int, body []byte) error {
		if n := load.CountStamps(body); status != 200 || n != want {
			return fmt.Errorf("status %d, %d of %d messages: %.300s", status, n, want, body)
		}
		return nil
	}
}

func (s baselineSide) subscribe(ctx context.Context) (*subscription, error) {
	sock, err := load.Open(ctx, load.Handshake{Addr: s.addr, Path: "/ws?account=" + strconv.Itoa(baseWatcher)})
	if err != nil {
		return nil, err
	}
	sub := &subscription{Socket: sock, classify: func(p []byte) frame {
		if bytes.HasPrefix(p, []byte(`{"ready"`)) {
			return ready
		}
		return noise
	}}
	if err := sub.await(); err != nil {
		return nil, errors.Join(err, sock.Close())
	}
	return sub, nil
}
