// Package schema is the store's shape: fields, edges and indexes of each noun, one file a noun. No rule lives here
// (they are in comms) and no hook or policy. Ent generates the rest of package ent from it: `make generate`.
package schema

import (
	"github.com/google/uuid"

	"entgo.io/ent"
	"entgo.io/ent/schema/field"

	"switchboard/internal/clock"
)

// id is the primary key of what outsiders may name: a random UUID, so that it says nothing and can't be guessed.
func id() ent.Field {
	return field.UUID("id", uuid.UUID{}).Default(uuid.New).Immutable()
}

// created is when the row was made.
func created() ent.Field {
	return field.Int64("created_at").GoType(clock.Micros(0)).DefaultFunc(clock.Now).Immutable()
}

// updated is when the row was last changed by somebody who wanted it changed.
func updated() ent.Field {
	return field.Int64("updated_at").GoType(clock.Micros(0)).DefaultFunc(clock.Now)
}

// maybe is a point in time that may not have come yet.
func maybe(name string) ent.Field {
	return field.Int64(name).GoType(clock.Micros(0)).Optional().Nillable()
}
