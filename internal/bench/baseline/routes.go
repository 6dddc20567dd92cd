package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

func newMux(st *store, h *hub) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { answer(w, []byte(`{"ok":true}`)) })
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		body, err := io.ReadAll(r.Body)
		m := note{body: string(body)}
		if err == nil {
			m.from, m.to, err = parties(q.Get("from"), q.Get("to"))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		send(w, st, h, m)
	})
	mux.HandleFunc("POST /legacy", func(w http.ResponseWriter, r *http.Request) {
		m, err := readLegacy(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		send(w, st, h, m)
	})
	mux.HandleFunc("GET /newest", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		account, n, err := parties(q.Get("account"), q.Get("n"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		b, err := st.newest(account, n)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, b)
	})
	mux.HandleFunc("GET /ws", h.serve)
	return mux
}

// readLegacy reads the shape of the messaging API: JSON, one zero byte, data.
func readLegacy(r io.Reader) (note, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return note{}, err
	}
	var in struct{ From, To string }
	words, data, _ := bytes.Cut(b, []byte{0})
	if err := json.Unmarshal(words, &in); err != nil {
		return note{}, err
	}
	m := note{body: string(data)}
	m.from, m.to, err = parties(in.From, in.To)
	return m, err
}

func parties(a, b string) (int, int, error) {
	from, err := strconv.Atoi(a)
	if err != nil {
		return 0, 0, err
	}
	to, err := strconv.Atoi(b)
	return from, to, err
}

func send(w http.ResponseWriter, st *store, h *hub, m note) {
	id, err := st.insert(m)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h.publish(id, m)
	answer(w, append(strconv.AppendInt([]byte(`{"id":`), id, 10), '}'))
}

func answer(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(b) // a client that went away is no business of a limit
}
