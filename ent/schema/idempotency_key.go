package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// IdempotencyKey remembers what a request with a key led to, so that the same request again leads to nothing new.
type IdempotencyKey struct{ ent.Schema }

// Fields of IdempotencyKey.
func (IdempotencyKey) Fields() []ent.Field {
	return []ent.Field{
		field.String("scope").Immutable().Comment("the account's id; for registrations the email"),
		field.String("key").Immutable(),
		field.String("verb").Immutable(),
		field.Bytes("digest").Immutable().Comment("keyed hash of the request without its key"),
		field.Bytes("result").Immutable().Sensitive().Comment("JSON, encrypted under the server's key"),
		created(),
	}
}

// Indexes of IdempotencyKey.
func (IdempotencyKey) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("scope", "key").Unique(),
		index.Fields("created_at"),
	}
}
