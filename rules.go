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
	"switchboard/comms/carrier"
	"switchboard/comms/mail"
	"switchboard/comms/notice"
	"switchboard/comms/pool"
	"switchboard/comms/record"
	"switchboard/internal/config"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/providers"
	mailroom "switchboard/providers/mail"
	"switchboard/providers/matrix"
	"switchboard/providers/ovh"
	"switchboard/providers/push"
	"switchboard/providers/voice"
)

// rules is the store and the rules over it.
type rules struct {
	store    *db.Store
	svc      *comms.Service
	calls    *call.Service
	pools    *pool.Service
	records  *record.Service
	carriers *carrier.Service
	mails    *mail.Service
	notices  *notice.Service
	push     *push.Services
	voice    *voice.Speaker
	key      []byte
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
	if r.mails, err = p.letters(r.svc, s); err != nil {
		return r, errors.Join(err, r.store.Close())
	}
	if r.notices, r.push, err = notices(r.svc, s); err != nil {
		return r, errors.Join(err, r.store.Close())
	}
	r.voice = voice.New(voice.Options{Log: p.log})
	r.pools = pool.New(r.svc, pool.Options{})
	r.records = record.New(r.svc, record.Options{Contents: contents, RecordingLink: func(of *comms.Recording) string {
		path, _ := r.calls.RecordingLink(of)
		return path
	}})
	if r.carriers, err = carriers(r, s); err != nil {
		return r, errors.Join(err, r.store.Close())
	}
	r.calls = call.New(r.svc, call.Options{Ended: r.records.Ended, Archive: archive, Voice: r.voice, Groups: r.pools, Recordings: recordings(s), Country: s.DefaultCountry,
		Retention: time.Duration(s.RecordingRetention), MaskRest: time.Duration(s.MaskRest), Limits: call.Limits{AtOnce: int(s.Calls.AtOnce), PerMinute: int(s.Calls.PerMinute),
			Prefixes: s.Calls.Prefixes, RingFor: time.Duration(s.Calls.Ring), Longest: time.Duration(s.Calls.Longest)}})
	return r, nil
}

// letters is the rules of mail over the way out that the settings name.
func (p program) letters(svc *comms.Service, s config.Settings) (*mail.Service, error) {
	if s.SMTP != "" && s.PublicURL == "" {
		p.log.Warn("links in mails begin with whatever host a client names: set public-url")
	}
	sender, err := mailroom.Open(mailroom.Options{Server: string(s.SMTP), Folder: s.MailDir, From: s.MailFrom})
	if err != nil {
		return nil, err
	}
	return mail.New(svc, mail.Options{Sender: sender}), nil
}

// notices is the rules of notices over the ways out that the settings name.
func notices(svc *comms.Service, s config.Settings) (*notice.Service, *push.Services, error) {
	n := notice.New(svc, notice.Options{Text: s.Push.Text})
	services, err := push.New(push.Options{Contact: s.Push.Contact, FCM: s.Push.FCM, Private: s.Push.Private, Kept: n,
		APNs: push.APNs{Key: s.Push.APNsKey, KeyID: s.Push.APNsKeyID, Team: s.Push.APNsTeam, Topic: s.Push.APNsTopic, Sandbox: s.Push.APNsSandbox}})
	if err != nil {
		return nil, nil, err
	}
	if s.Matrix.Homeserver == "" {
		n.Attach(nil, services)
		return n, services, nil
	}
	n.Attach(matrix.New(matrix.Options{Homeserver: s.Matrix.Homeserver, User: s.Matrix.User, Password: string(s.Matrix.Password),
		Token: string(s.Matrix.Token), Kept: n}), services)
	return n, services, nil
}

// carriers is the rules of carriers over the ways out that the settings name.
func carriers(r rules, s config.Settings) (*carrier.Service, error) {
	rooms, err := providers.Carriers(ovh.Options{Endpoint: s.OVH.Endpoint, Key: s.OVH.ApplicationKey, Secret: string(s.OVH.ApplicationSecret)})
	if err != nil {
		return nil, err
	}
	return carrier.New(r.svc, r.records, carrier.Options{Carriers: rooms, Every: time.Duration(s.ImportEvery)}), nil
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
