package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
)

// Device is where push notifications go: one push token, with what the messaging API's login said of it.
type Device struct{ ent.Schema }

// Fields of Device.
func (Device) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.Bytes("token_hash").Unique().Immutable().Sensitive(),
		field.Bytes("token_sealed").Immutable().Sensitive(),
		field.String("app_id"),
		field.String("build"),
		field.String("name"),
		field.String("locale"),
		created(),
		updated(),
	}
}

// Edges of Device.
func (Device) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("numbers", Number.Type),
		edge.To("followers", Follower.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}
