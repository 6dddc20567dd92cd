package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Call is the record of one call of a number. It goes with its number.
type Call struct{ ent.Schema }

// Fields of Call.
func (Call) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.UUID("number_id", uuid.UUID{}).Immutable(),
		field.String("peer").Immutable().Comment("the other side, E.164 with +"),
		field.Enum("direction").Values("incoming", "outgoing").Immutable(),
		field.Enum("status").Values("queued", "dialling", "ringing", "answered", "missed", "busy", "blocked", "cancelled", "failed"),
		field.Int("duration").Default(0).Comment("seconds of conversation"),
		created(),
	}
}

// Edges of Call.
func (Call) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("virtual", Number.Type).Ref("calls").Field("number_id").Unique().Required().Immutable(),
	}
}

// Indexes of Call.
func (Call) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "created_at", "id"),
		index.Fields("number_id", "created_at", "id"),
	}
}
