package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Application is a program of an account that signs its requests: app_id with the account's authorisation token (privacy call),
// app_key with secret_key (number pools).
type Application struct{ ent.Schema }

// Fields of Application.
func (Application) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.String("name"),
		field.String("app_id").Unique().Immutable(),
		field.String("app_key").Unique().Immutable(),
		field.Bytes("secret_key_sealed").Sensitive(),
		field.Bool("record").Default(false).Comment("its masked calls are recorded"),
		created(),
	}
}

// Edges of Application.
func (Application) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("account", Account.Type).Ref("applications").Field("account_id").Unique().Required().Immutable(),
		edge.To("pool", Number.Type).Comment("the numbers that it may show"),
	}
}

// Indexes of Application.
func (Application) Indexes() []ent.Index {
	return []ent.Index{index.Fields("account_id", "name").Unique()}
}
