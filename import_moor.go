package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"switchboard/comms/pool"
	"switchboard/internal/config"
	"switchboard/providers/moor"
)

// importMoor takes over the number pool of a 7moor account. It says what it could not take; that is no failure unless it could take nothing.
func importMoor(ctx context.Context, line *config.Line, p program, r rules) error {
	s := line.Settings.Moor
	if s.AppKey == "" || s.Secret == "" {
		return errors.New("import moor needs moor-app-key and moor-secret: the account's there")
	}
	source, err := moor.New(moor.Options{URL: s.URL, AppKey: s.AppKey, Secret: string(s.Secret), Log: p.log})
	if err != nil {
		return err
	}
	wish, err := source.Pull(ctx)
	if err != nil {
		return err
	}
	wish.Email = line.Account
	done, err := r.pools.ImportPool(ctx, wish)
	if done != nil {
		say := tellImported
		if line.JSON {
			say = writeImported
		}
		err = errors.Join(err, say(p.out, done))
	}
	if err == nil && done.Taken() == 0 && len(done.Left) > 0 {
		return errors.New("nothing of the pool could be taken over")
	}
	return err
}

// tellImported says for people what became of a pool.
func tellImported(to io.Writer, done *pool.Imported) error {
	for _, line := range []struct {
		name string
		pool.Counts
	}{{"numbers", done.Numbers}, {"groups", done.Groups}, {"telephones", done.Phones}} {
		if _, err := fmt.Fprintf(to, "%-11s %d new, %d changed, %d as they were\n", line.name, line.New, line.Changed, line.Same); err != nil {
			return err
		}
	}
	for _, l := range done.Left {
		if _, err := fmt.Fprintf(to, "not taken: %s %s: %s\n", l.Kind, l.Name, l.Why); err != nil {
			return err
		}
	}
	return nil
}

// writeImported says it for programs.
func writeImported(to io.Writer, done *pool.Imported) error { return json.NewEncoder(to).Encode(done) }
