package main

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
)

// hub knows who listens to which account.
type hub struct {
	mu    sync.RWMutex
	rooms map[int]map[*listener]struct{}
}

// listener is one socket; a WebSocket takes one writer at a time.
type listener struct {
	mu   sync.Mutex
	conn *websocket.Conn
}

func (l *listener) write(m *websocket.PreparedMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn.WritePreparedMessage(m) // where that fails the reader sees it too, and leaves
}

// alone is the number of listeners up to which a second goroutine is not worth its start.
const alone = 64

// publish encodes the note once and writes it to all who listen, on two goroutines.
func (h *hub) publish(id int64, m note) {
	h.mu.RLock()
	room := h.rooms[m.to]
	list := make([]*listener, 0, len(room))
	for l := range room {
		list = append(list, l)
	}
	h.mu.RUnlock()
	if len(list) == 0 {
		return
	}
	b := strconv.AppendInt([]byte(`{"id":`), id, 10)
	b = strconv.AppendQuote(append(b, `,"body":`...), m.body)
	msg, err := websocket.NewPreparedMessage(websocket.TextMessage, append(b, '}'))
	if err != nil {
		return // only a message that is none fails
	}
	tell := func(list []*listener) {
		for _, l := range list {
			l.write(msg)
		}
	}
	if len(list) < alone {
		tell(list)
		return
	}
	var other sync.WaitGroup
	half := len(list) / 2
	other.Go(func() { tell(list[:half]) })
	tell(list[half:])
	other.Wait()
}

var upgrader = websocket.Upgrader{ReadBufferSize: 512, WriteBufferSize: 512, CheckOrigin: func(*http.Request) bool { return true }}

// serve keeps one listener until it goes away.
func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	account, err := strconv.Atoi(r.URL.Query().Get("account"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	defer conn.Close()
	l := &listener{conn: conn}
	h.join(account, l)
	defer h.leave(account, l)
	ready, err := websocket.NewPreparedMessage(websocket.TextMessage, []byte(`{"ready":true}`))
	if err != nil {
		return
	}
	l.write(ready)
	for {
		if _, _, err := conn.NextReader(); err != nil {
			return
		}
	}
}

func (h *hub) join(account int, l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rooms[account] == nil {
		h.rooms[account] = map[*listener]struct{}{}
	}
	h.rooms[account][l] = struct{}{}
}

func (h *hub) leave(account int, l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rooms[account], l)
}
