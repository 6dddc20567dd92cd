package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"

	"switchboard/internal/clock"
)

// Session is one live socket of an account, open or closed.
type Session struct{ ent.Schema }

// Fields of Session.
func (Session) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.String("kind").Immutable().Comment("opencloud or graphql"),
		field.String("node").Immutable().Comment("the process that holds it"),
		created(),
		field.Int64("last_seen").GoType(clock.Micros(0)).DefaultFunc(clock.Now),
		maybe("closed_at"),
	}
}

// Edges of Session.
func (Session) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("account", Account.Type).Ref("sessions").Field("account_id").Unique().Required().Immutable(),
	}
}

// Indexes of Session.
func (Session) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "created_at", "id"),
		index.Fields("created_at").StorageKey("session_open").Annotations(entsql.IndexWhere("closed_at IS NULL")),
	}
}
