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

// CarrierLink is an account's consent that we read what a carrier knows of its calls.
type CarrierLink struct{ ent.Schema }

// Fields of CarrierLink.
func (CarrierLink) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.Enum("carrier").Values("ovh").Immutable(),
		field.Enum("state").Values("pending", "active", "withdrawn").Default("pending").
			Comment("pending until the customer has consented; withdrawn when he has taken that back"),
		field.Bytes("key_sealed").Sensitive().Comment("what the carrier gave us to ask with"),
		field.Bytes("check_hash").Unique().Sensitive().Comment("of the id in the address to which the carrier sends the customer back"),
		field.String("identity").Default("").Comment("the customer's name at the carrier"),
		field.Int("every").Default(3600).Comment("seconds between imports"),
		field.String("node").Default("").Comment("the process that imports now"),
		maybe("lease_until"),
		maybe("next_at"),
		field.Int("tries").Default(0).Comment("imports that failed one after the other"),
		field.String("problem").Default("").Comment("why the latest import failed, in a stable word"),
		field.Int("done").Default(0).Comment("records of the import that is under way, or was the latest, that have been looked at"),
		field.Int("total").Default(0).Comment("and how many there are as far as is known"),
		field.Int("added").Default(0).Comment("of them new"),
		created(),
		maybe("linked_at"),
		maybe("imported_at"),
	}
}

// Edges of CarrierLink.
func (CarrierLink) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("account", Account.Type).Ref("carriers").Field("account_id").Unique().Required().Immutable(),
		edge.To("marks", ImportMark.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("sounds", ImportSound.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes of CarrierLink.
func (CarrierLink) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "created_at", "id"),
		index.Fields("account_id", "carrier", "identity").Unique().Annotations(entsql.IndexWhere("identity <> ''")),
		index.Fields("next_at").Annotations(entsql.IndexWhere("next_at IS NOT NULL")),
	}
}

// ImportMark is how far the import of one of the customer's services has come.
type ImportMark struct{ ent.Schema }

// Fields of ImportMark.
func (ImportMark) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("link_id", uuid.UUID{}).Immutable(),
		field.String("service").Immutable(),
		field.Int64("since").GoType(clock.Micros(0)).Comment("all that began before it was imported"),
	}
}

// Edges of ImportMark.
func (ImportMark) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("link", CarrierLink.Type).Ref("marks").Field("link_id").Unique().Required().Immutable(),
	}
}

// Indexes of ImportMark.
func (ImportMark) Indexes() []ent.Index {
	return []ent.Index{index.Fields("link_id", "service").Unique()}
}

// ImportSound is a recording at the carrier that was looked at: done with, or to be tried again because its call is not here yet or the
// download failed.
type ImportSound struct{ ent.Schema }

// Fields of ImportSound.
func (ImportSound) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("link_id", uuid.UUID{}).Immutable(),
		field.String("name").Immutable().Comment("the carrier's own: its service and its id there"),
		field.Bool("done").Default(false),
		field.Int("tries").Default(0),
		maybe("next_at"),
	}
}

// Edges of ImportSound.
func (ImportSound) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("link", CarrierLink.Type).Ref("sounds").Field("link_id").Unique().Required().Immutable(),
	}
}

// Indexes of ImportSound.
func (ImportSound) Indexes() []ent.Index {
	return []ent.Index{index.Fields("link_id", "name").Unique()}
}
