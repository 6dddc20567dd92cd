package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"switchboard/comms"
	"switchboard/internal/db"
)

const messageFields = `id direction kind from fromName to text length status createdAt deliveredAt number { id number } file { name length url urlExpiresAt }`

type messageSeen struct {
	ID, Direction, Kind, From, FromName, To, Status, CreatedAt string
	Text, DeliveredAt                                          *string
	Length                                                     int
	Number                                                     *struct{ ID, Number string }
	File                                                       *struct {
		Name         *string
		Length       int
		URL          string
		URLExpiresAt string
	}
}

type sendPayload struct {
	SendMessage struct {
		Message    *messageSeen
		Messages   []messageSeen
		Replayed   bool
		UserErrors []struct{ Code, Field string }
	}
}

const send = `mutation($in: SendMessageInput!) { sendMessage(input: $in) { message { ` + messageFields + ` } messages { id to } replayed userErrors { code field } } }`

func (k *kit) sendBy(p *person, input map[string]any) sendPayload {
	k.Helper()
	var out sendPayload
	k.get(WithBaseURL(p.ctx, "https://phone.example.com"), send, map[string]any{"in": input}, &out)
	return out
}

func TestSendMessage(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, a, b := k.person(1), k.person(1), k.person(1)
		from, to := me.numbers[0], []any{a.numbers[0].Number, b.numbers[0].Number, strings.TrimPrefix(a.numbers[0].Number, "+")}
		in := map[string]any{"from": from.ID.String(), "to": to, "text": "héllo \"you\"\n", "fromName": "Me & co", "idempotencyKey": "k1"}
		out := k.sendBy(me, in).SendMessage
		if len(out.UserErrors) > 0 || out.Replayed || len(out.Messages) != 3 || out.Message.ID != out.Messages[0].ID {
			k.Fatalf("%+v", out)
		}
		m := out.Message
		if m.Direction != "SENT" || m.Kind != "TEXT" || *m.Text != "héllo \"you\"\n" || m.Length != len("héllo \"you\"\n") || m.Status != "SENT" ||
			m.From != from.Number || m.FromName != "Me & co" || m.To != a.numbers[0].Number || m.File != nil || m.DeliveredAt != nil || m.Number.ID != from.ID.String() {
			k.Errorf("%+v", m)
		}
		if at, err := time.Parse("2006-01-02T15:04:05.000000Z", m.CreatedAt); err != nil || time.Since(at) > time.Minute {
			k.Errorf("createdAt is %q: %v", m.CreatedAt, err)
		}
		again := k.sendBy(me, in).SendMessage
		if !again.Replayed || fmt.Sprint(again.Messages) != fmt.Sprint(out.Messages) {
			k.Errorf("the same key: %+v", again)
		}
		in["text"] = "another"
		if other := k.sendBy(me, in).SendMessage; len(other.UserErrors) != 1 || other.UserErrors[0].Code != "IDEMPOTENCY_KEY_REUSED" || other.Message != nil || other.Messages == nil {
			k.Errorf("the same key for another text: %+v", other)
		}
	})
}

func TestSendFile(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, a := k.person(1), k.person(1)
		upload := func(name, data string) graphql.Upload {
			return graphql.Upload{File: strings.NewReader(data), Filename: name, Size: int64(len(data))}
		}
		in := map[string]any{"from": me.numbers[0].ID.String(), "to": []any{a.numbers[0].Number}, "file": upload("pic.png", "\x89PNG\x00")}
		m := k.sendBy(me, in).SendMessage.Message
		if m == nil || m.Kind != "FILE" || m.Text != nil || m.File == nil || *m.File.Name != "pic.png" || m.File.Length != 5 || m.Length != 5 {
			k.Fatalf("%+v", m)
		}
		if !strings.HasPrefix(m.File.URL, "https://phone.example.com/files/"+m.ID+"?") {
			k.Errorf("the link is %s", m.File.URL)
		}
		in["file"], in["fileName"] = upload("pic.png", "x"), "mine.png"
		if m := k.sendBy(me, in).SendMessage.Message; *m.File.Name != "mine.png" {
			k.Errorf("the name is %s", *m.File.Name)
		}
		in["file"], in["text"] = upload("pic.png", "x"), "and a text"
		if out := k.sendBy(me, in).SendMessage; len(out.UserErrors) != 1 || out.UserErrors[0].Field != "input.text" {
			k.Errorf("a file and a text: %+v", out)
		}
		long := map[string]any{"from": me.numbers[0].ID.String(), "to": []any{a.numbers[0].Number}, "text": strings.Repeat("ü", 2049)}
		if m := k.sendBy(me, long).SendMessage.Message; m.Kind != "TEXT" || m.Text != nil || m.File == nil || m.File.Name != nil || m.File.Length != 4098 {
			k.Errorf("a long text: %+v", m)
		}
		long["text"] = strings.Repeat("ü", 2048)
		if m := k.sendBy(me, long).SendMessage.Message; m.Text == nil || m.File != nil {
			k.Errorf("a text that just fits: %+v", m)
		}
	})
}

// Each side sees a message as its own: which way it went, and which of its numbers it was. The other side's number has an id that is a
// credential: it is shown to nobody else.
func TestBothSidesOfAMessage(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, peer := k.person(2), k.person(1)
		k.send(me, peer.numbers[0], "across")
		k.send(me, me.numbers[1], "to myself")
		list := func(p *person) []messageSeen {
			var data struct{ Messages struct{ Nodes []messageSeen } }
			k.get(p.ctx, `{ messages { nodes { `+messageFields+` } } }`, nil, &data)
			return data.Messages.Nodes
		}
		mine, theirs := list(me), list(peer)
		if len(mine) != 2 || mine[0].Direction != "RECEIVED" || mine[0].Number.ID != me.numbers[1].ID.String() ||
			mine[1].Direction != "SENT" || mine[1].Number.ID != me.numbers[0].ID.String() {
			k.Errorf("mine: %+v", mine)
		}
		if len(theirs) != 1 || theirs[0].Direction != "RECEIVED" || theirs[0].Number.ID != peer.numbers[0].ID.String() || theirs[0].ID != mine[1].ID {
			k.Errorf("theirs: %+v", theirs)
		}
		if b := must(json.Marshal(theirs))(k); bytes.Contains(b, []byte(me.numbers[0].ID.String())) {
			k.Error("the other side is shown the id of my number")
		}
		must(k.svc.DeleteNumber(me.ctx, me.numbers[0].ID))(k)
		if left := list(me); len(left) != 2 || left[1].Number != nil || left[1].From != me.numbers[0].Number {
			k.Errorf("after the number was deleted: %+v", left)
		}
	})
}

func TestFilters(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, a, b := k.person(2), k.person(1), k.person(1)
		ids := map[string]string{}
		note := func(name string, m *comms.Message) { ids[fmt.Sprint(m.ID)] = name }
		note("a1", k.send(a, me.numbers[0], "1"))
		note("a2", k.send(a, me.numbers[1], "2"))
		note("b1", k.send(b, me.numbers[0], "3"))
		middle := must(k.svc.Message(me.ctx, k.send(me, a.numbers[0], "4").ID))(k)
		note("out", middle)
		read := k.send(b, me.numbers[1], "5")
		note("read", read)
		must(k.svc.MarkDelivered(me.ctx, []int64{read.ID}))(k)
		file := must(k.svc.SendMessage(b.ctx, comms.SendMessage{From: b.numbers[0].ID, To: []string{me.numbers[0].Number}, Data: strings.NewReader("x"),
			Length: 1, FileName: "x.txt"}))(k)
		note("file", file.Messages[0])
		at := middle.CreatedAt.Time()
		for filter, want := range map[string]string{
			``:                        "file read out b1 a2 a1",
			`filter: {}`:              "file read out b1 a2 a1",
			`filter: {numberIds: []}`: "file read out b1 a2 a1",
			`filter: {numberIds: ["` + me.numbers[1].ID.String() + `"]}`:                          "read a2",
			`filter: {direction: SENT}`:                                                           "out",
			`filter: {direction: RECEIVED}`:                                                       "file read b1 a2 a1",
			`filter: {peer: "` + a.numbers[0].Number + `"}`:                                       "out a2 a1",
			`filter: {peer: "` + a.numbers[0].Number + `", direction: RECEIVED}`:                  "a2 a1",
			`filter: {kind: FILE}`:                                                                "file",
			`filter: {kind: MISSED_CALL}`:                                                         "",
			`filter: {status: DELIVERED}`:                                                         "read",
			`filter: {status: SENT, direction: RECEIVED}`:                                         "file b1 a2 a1",
			`filter: {since: "` + at.Format(time.RFC3339Nano) + `"}`:                              "file read out",
			`filter: {until: "` + at.Format(time.RFC3339Nano) + `"}`:                              "b1 a2 a1",
			`filter: {since: "` + at.In(time.FixedZone("", 7200)).Format(time.RFC3339Nano) + `"}`: "file read out",
		} {
			if filter != "" {
				filter = "(" + filter + ")"
			}
			var data struct {
				Messages struct {
					Nodes      []struct{ ID string }
					TotalCount int
				}
			}
			k.get(me.ctx, `{ messages`+filter+` { nodes { id } totalCount } }`, nil, &data)
			var got []string
			for _, n := range data.Messages.Nodes {
				got = append(got, ids[n.ID])
			}
			if strings.Join(got, " ") != want || data.Messages.TotalCount != len(got) {
				k.Errorf("%s: %v of %d, want %s", filter, got, data.Messages.TotalCount, want)
			}
		}
	})
}

func TestMarkDelivered(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, a := k.person(1), k.person(1)
		one, two := k.send(a, me.numbers[0], "1"), k.send(a, me.numbers[0], "2")
		var data struct {
			MarkDelivered struct{ Messages []messageSeen }
		}
		k.get(me.ctx, `mutation($ids: [ID!]!) { markDelivered(input: {messageIds: $ids}) { messages { `+messageFields+` } } }`,
			map[string]any{"ids": []any{fmt.Sprint(two.ID), fmt.Sprint(one.ID)}}, &data)
		got := data.MarkDelivered.Messages
		if len(got) != 2 || got[0].ID != fmt.Sprint(two.ID) || got[1].Status != "DELIVERED" || got[1].DeliveredAt == nil {
			k.Errorf("%+v", got)
		}
	})
}

// A long list asks for its numbers once, whoever of its messages is asked first, and a number that is gone isn't asked for again.
func TestNumbersAreReadOnce(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, a := k.person(5), k.person(1)
		for i := range 30 {
			k.send(a, me.numbers[i%5], fmt.Sprint(i))
		}
		must(k.svc.DeleteNumber(me.ctx, me.numbers[2].ID))(k)
		ctx, n := db.CountStatements(me.ctx)
		var data struct{ Messages struct{ Nodes []messageSeen } }
		k.get(ctx, `{ messages { nodes { to number { id number } } } }`, nil, &data)
		if n.Load() != 2 {
			k.Errorf("%d statements", n.Load())
		}
		for _, m := range data.Messages.Nodes {
			i := slices.IndexFunc(me.numbers, func(n *comms.Number) bool { return n.Number == m.To })
			if gone := i == 2; gone != (m.Number == nil) || !gone && m.Number.ID != me.numbers[i].ID.String() {
				k.Errorf("%s has the number %+v", m.To, m.Number)
			}
		}
	})
}
