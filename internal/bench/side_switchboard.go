package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"switchboard/internal/bench/load"
)

// What is asked of the switchboard. The texts are those that a client would write.
const (
	sendText = `mutation Send($input: SendMessageInput!) { sendMessage(input: $input) { message { id } userErrors { code field message } } }`
	readText = `query Newest { messages(first: 50, filter: {direction: RECEIVED}) { nodes { id text from createdAt number { id number } } } }`
	allText  = `query Newest { messages(first: 50) { nodes { id text from createdAt number { id number } } } }`
	subText  = `subscription Incoming { messageReceived { cursor message { id text from createdAt number { id number } } } }`
)

const graphqlHeader = "Content-Type: application/json\r\nAccept: application/graphql-response+json, application/json\r\n"

// switchboardSide is the real server with the accounts that were registered there.
type switchboardSide struct {
	addr string
	*world
}

func (s switchboardSide) open(ctx context.Context, a act, r route) (*client, error) {
	from, to := s.ends(r)
	auth := "Authorization: Bearer " + from.token + "\r\n"
	read := "Authorization: Bearer " + s.reader.token + "\r\n"
	c := &client{}
	switch a {
	case sendGraphQL:
		c.req = load.Request{Method: "POST", Path: "/query", Header: graphqlHeader + auth}
		c.shape, c.check = graphqlSend(from.numbers[0].ID, to), accepted(`"userErrors":[]`)
	case sendMessaging:
		c.req = load.Request{Method: "POST", Path: "/message", Header: "Content-Type: application/octet-stream\r\n"}
		c.shape, c.check = messagingSend(from.numbers[0].ID, to), accepted(`10000`)
	case listReceived:
		c.req = load.Request{Method: "POST", Path: "/query", Header: graphqlHeader + read, Body: document(readText)}
		c.check = listed(pageSize)
	case listAll:
		c.req = load.Request{Method: "POST", Path: "/query", Header: graphqlHeader + read, Body: document(allText)}
		c.check = listed(pageSize)
	case listNumbers:
		c.req = load.Request{Method: "GET", Path: "/api/numbers", Header: read}
		c.check = accepted(s.reader.numbers[0].Number)
	default:
		return nil, fmt.Errorf("the switchboard does not know %q", a)
	}
	var err error
	c.conn, err = load.Dial(ctx, s.addr)
	return c, err
}

// ends are who sends, and the numbers that get it in turn.
func (w *world) ends(r route) (account, []string) {
	switch r {
	case toWatcher:
		return w.sender, w.watcher.phones()
	case toReader:
		return w.sender, w.reader.phones()
	case readerOutwards:
		return w.reader, w.sender.phones()
	default:
		return w.sender, w.many
	}
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a form in JSON
	}
	return string(b)
}

func document(text string) []byte { return []byte(`{"query":` + quoted(text) + `}`) }

func graphqlSend(from string, to []string) func(*load.Request, int) {
	before := `{"query":` + quoted(sendText) + `,"variables":{"input":{"from":"` + from + `","to":["`
	return func(r *load.Request, k int) {
		b := append(r.Body[:0], before...)
		b = append(b, to[k%len(to)]...)
		b = append(b, `"],"text":"`...)
		b = load.Now(k).AppendTo(b)
		r.Body = append(b, `"}}}`...)
	}
}

func messagingSend(from string, to []string) func(*load.Request, int) {
	before := fmt.Sprintf(`{"req":"send","uuid":"%s","length":%d,"callee":"`, from, load.Size)
	return func(r *load.Request, k int) {
		b := append(r.Body[:0], before...)
		b = append(b, to[k%len(to)]...)
		b = append(b, `"}`...)
		r.Body = load.Now(k).AppendTo(append(b, 0))
	}
}

// accepted wants a 200 that holds the word.
func accepted(word string) func(int, []byte) error {
	w := []byte(word)
	return func(status int, body []byte) error {
		if status != 200 || !bytes.Contains(body, w) || bytes.Contains(body, []byte(`"errors"`)) {
			return fmt.Errorf("status %d: %.300s", status, body)
		}
		return nil
	}
}

// subscribe speaks graphql-transport-ws. Nothing answers a subscribe; a ping sent behind it is answered behind it.
func (s switchboardSide) subscribe(ctx context.Context) (*subscription, error) {
	sock, err := load.Open(ctx, load.Handshake{Addr: s.addr, Path: "/query", Protocol: "graphql-transport-ws"})
	if err != nil {
		return nil, err
	}
	sub := &subscription{Socket: sock, pong: []byte(`{"type":"pong"}`), classify: transportFrame}
	for _, step := range [][]string{
		{`{"type":"connection_init","payload":{"token":` + quoted(s.watcher.token) + `}}`},
		{`{"id":"` + uuid.NewString() + `","type":"subscribe","payload":` + string(document(subText)) + `}`, `{"type":"ping"}`},
	} {
		for _, text := range step {
			if err := sub.WriteText([]byte(text)); err != nil {
				return nil, errors.Join(err, sock.Close())
			}
		}
		if err := sub.await(); err != nil {
			return nil, errors.Join(err, sock.Close())
		}
	}
	return sub, nil
}

// transportFrame tells the frames of graphql-transport-ws apart, without decoding them.
func transportFrame(p []byte) frame {
	has := func(kind string) bool { return bytes.Contains(p, []byte(`"type":"`+kind+`"`)) }
	switch {
	case has("connection_ack"), has("pong"):
		return ready
	case has("ping"):
		return asks
	case has("error"), has("complete"):
		return refuses
	default:
		return noise
	}
}
