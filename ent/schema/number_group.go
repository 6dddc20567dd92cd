package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// NumberGroup is a named set of an account's numbers from which a displayed number can be taken.
type NumberGroup struct{ ent.Schema }

// Fields of NumberGroup.
func (NumberGroup) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.String("name"),
		created(),
	}
}

// Edges of NumberGroup.
func (NumberGroup) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("account", Account.Type).Ref("groups").Field("account_id").Unique().Required().Immutable(),
		edge.To("numbers", Number.Type),
	}
}

// Indexes of NumberGroup.
func (NumberGroup) Indexes() []ent.Index {
	return []ent.Index{index.Fields("account_id", "name").Unique()}
}
