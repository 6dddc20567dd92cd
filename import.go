package main

import (
	"context"
	"errors"

	"switchboard/internal/config"
)

// imports are what can be imported from, by the word of the command line.
var imports = map[string]func(context.Context, *config.Line, program, rules) error{
	"moor": importMoor,
	"ovh":  importOVH,
}

// importFrom takes over what an account has elsewhere. It may run beside a server on the same database.
func importFrom(ctx context.Context, line *config.Line, p program) (err error) {
	r, err := p.rules(ctx, line.Settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	return imports[line.Source](ctx, line, p, r)
}
