package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/internal/config"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/providers/voice"
)

// rules is the store and the rules over it.
type rules struct {
	store *db.Store
	svc   *comms.Service
	calls *call.Service
	voice *voice.Speaker
	key   []byte
}

// rules opens the store and builds the rules over it. The store is closed last.
func (p program) rules(ctx context.Context, s config.Settings) (r rules, err error) {
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return r, fmt.Errorf("making the data folder: %w", err)
	}
	if r.key, err = config.Key(s.SecretFile); err != nil {
		return r, err
	}
	contents, err := content.Open(content.Options{Data: s.Data, URL: string(s.Content)})
	if err != nil {
		return r, err
	}
	if r.store, err = db.Open(ctx, db.Options{Data: s.Data, URL: string(s.Database), Logger: p.log}); err != nil {
		return r, err
	}
	o := comms.Options{Store: r.store, Contents: contents, Secret: r.key, Log: p.log, Node: node(s),
		Limits: comms.Limits{PageSize: int(s.GraphQL.PageSize), Data: int64(s.MaxData), Retention: time.Duration(s.Retention),
			TokenTTL: time.Duration(s.TokenTTL), LinkTTL: time.Duration(s.LinkTTL)}}
	if !s.NoThrottle {
		o.Throttle = comms.Throttle{Register: comms.Rate(s.Throttle.Register), Login: comms.Rate(s.Throttle.Login),
			Captcha: comms.Rate(s.Throttle.Captcha), PIN: comms.Rate(s.Throttle.PIN)}
	}
	if r.svc, err = comms.New(o); err != nil {
		return r, errors.Join(err, r.store.Close())
	}
	archive, err := content.OpenArchive(content.Options{Data: s.Data, URL: string(s.Content)})
	if err != nil {
		return r, errors.Join(err, r.store.Close())
	}
	r.voice = voice.New(voice.Options{Log: p.log})
	r.calls = call.New(r.svc, call.Options{Archive: archive, Voice: r.voice, Recordings: recordings(s), Country: s.DefaultCountry,
		Retention: time.Duration(s.RecordingRetention), MaskRest: time.Duration(s.MaskRest), Limits: call.Limits{AtOnce: int(s.Calls.AtOnce), PerMinute: int(s.Calls.PerMinute),
			Prefixes: s.Calls.Prefixes, RingFor: time.Duration(s.Calls.Ring), Longest: time.Duration(s.Calls.Longest)}})
	return r, nil
}

// recordings is where recordings are written while they last.
func recordings(s config.Settings) string { return filepath.Join(s.Data, "recordings") }

// node names this process among those on one database, the same after each start: by its host and its address.
func node(s config.Settings) string {
	host, err := os.Hostname()
	if err != nil {
		host = "switchboard"
	}
	return host + " " + string(s.HTTP)
}
