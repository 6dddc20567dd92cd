package httpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server serves until it is told to stop, and then lets what runs come to its end.
type Server struct {
	Handler http.Handler
	Log     *slog.Logger
	Sockets *Sockets
	Drain   time.Duration // how long a stop waits
}

// Serve serves until stop ends. Then it takes no more connections, calls draining (which has the doors close their sockets and streams),
// and waits for what runs, at most as long as Drain. When it returns, no request runs any more.
func (s Server) Serve(stop context.Context, l net.Listener, draining func()) error {
	running, end := context.WithCancel(context.WithoutCancel(stop))
	defer end()
	server := &http.Server{
		Handler:           s.Handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       stall, // of a whole request, unless it comes piece by piece: exchange.go moves it
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug), // of broken TLS and the like: clients' faults
		BaseContext:       func(net.Listener) context.Context { return running },
	}
	server.RegisterOnShutdown(draining) // once nothing new can come
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving HTTP: %w", err)
	case <-stop.Done():
	}
	ctx, cancel := context.WithTimeout(running, s.Drain)
	defer cancel()
	err := errors.Join(server.Shutdown(ctx), s.Sockets.Wait(ctx))
	if err != nil {
		s.Log.Warn("a stop cut off what did not end in time", "after", s.Drain)
		end() // whoever waits for something gives up
		return server.Close()
	}
	return nil
}
