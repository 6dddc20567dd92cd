package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Block says that an account wants nothing from a number.
type Block struct{ ent.Schema }

// Fields of Block.
func (Block) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.String("number").Immutable().Comment("E.164 with +"),
		created(),
	}
}

// Edges of Block.
func (Block) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("account", Account.Type).Ref("blocks").Field("account_id").Unique().Required().Immutable(),
	}
}

// Indexes of Block.
func (Block) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "number").Unique(),
		index.Fields("account_id", "created_at", "id"),
	}
}
