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

// NumberGroup is a named set of an account's numbers from which a displayed number can be taken.
type NumberGroup struct{ ent.Schema }

// Fields of NumberGroup.
func (NumberGroup) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.String("name"),
		field.Enum("policy").Values("sticky", "least_recently_used").Default("sticky").Comment("which of its numbers a call shows"),
		created(),
		updated(),
	}
}

// Edges of NumberGroup.
func (NumberGroup) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("account", Account.Type).Ref("groups").Field("account_id").Unique().Required().Immutable(),
		edge.To("numbers", Number.Type),
		edge.To("choices", GroupChoice.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes of NumberGroup.
func (NumberGroup) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "name").Unique(),
		index.Fields("account_id", "created_at", "id"),
	}
}

// GroupChoice remembers which number of a group a callee was last shown.
type GroupChoice struct{ ent.Schema }

// Fields of GroupChoice.
func (GroupChoice) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("group_id", uuid.UUID{}).Immutable(),
		field.UUID("number_id", uuid.UUID{}),
		field.String("callee").Immutable().Comment("E.164 with +"),
		field.Int64("used_at").GoType(clock.Micros(0)),
	}
}

// Edges of GroupChoice.
func (GroupChoice) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("group", NumberGroup.Type).Ref("choices").Field("group_id").Unique().Required().Immutable(),
		edge.From("virtual", Number.Type).Ref("choices").Field("number_id").Unique().Required(),
	}
}

// Indexes of GroupChoice.
func (GroupChoice) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("group_id", "callee").Unique(),
		index.Fields("number_id"),
		index.Fields("used_at"),
	}
}
