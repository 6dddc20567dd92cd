package opencloud

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"switchboard/ent"
	"switchboard/ent/session"
	"switchboard/internal/db"
	"switchboard/internal/house"
)

// gate is a store whose changes, once it is shut, tell that they have come and wait to be let through.
type gate struct {
	*db.Store
	shut       atomic.Bool
	come, pass chan struct{}
}

func (g *gate) Change(ctx context.Context, fn func(context.Context, *ent.Client) error, committed func()) error {
	if g.shut.Load() {
		g.come <- struct{}{}
		<-g.pass
	}
	return g.Store.Change(ctx, fn, committed)
}

// A program that stops waits for its sockets, and then closes the store. So a session is closed while its socket still is a socket,
// whichever way it ends.
func TestASessionEndsBeforeItsSocket(t *testing.T) {
	for name, end := range map[string]func(*world, *websocket.Conn) error{
		"the client closes": func(_ *world, conn *websocket.Conn) error {
			return conn.WriteControl(websocket.CloseMessage, nil, time.Now().Add(time.Second))
		},
		"the client is gone": func(_ *world, conn *websocket.Conn) error { return conn.NetConn().Close() },
		"the client breaks the protocol": func(_ *world, conn *websocket.Conn) error {
			_, err := conn.NetConn().Write([]byte("\x80\x80\x00\x00\x00\x00"))
			return err
		},
		"the program stops, and the client says nothing": func(w *world, _ *websocket.Conn) error {
			close(w.drain)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := &gate{Store: house.SQLite(t), come: make(chan struct{}, 9), pass: make(chan struct{})}
			w := newWorld(t, store.Store, settings{seen: store})
			conn := w.dial("/ws?token=" + w.join("user@example.com").token)
			store.shut.Store(true)
			if err := end(w, conn); err != nil {
				t.Fatal(err)
			}
			<-store.come
			if n := w.sockets.Open(); n != 1 {
				t.Errorf("%d sockets are open when the session ends", n)
			}
			close(store.pass)
			if err := w.sockets.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if open, err := store.Read().Session.Query().Where(session.ClosedAtIsNil()).Count(t.Context()); err != nil || open != 0 {
				t.Errorf("%d sessions are open after their sockets, %v", open, err)
			}
		})
	}
}
