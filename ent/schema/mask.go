package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Mask lets parties talk through a number of ours (X) without learning each other's.
type Mask struct{ ent.Schema }

// Fields of Mask.
func (Mask) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.UUID("application_id", uuid.UUID{}).Optional().Nillable().Immutable(),
		field.UUID("number_id", uuid.UUID{}).Immutable().Comment("X"),
		field.UUID("second_number_id", uuid.UUID{}).Optional().Nillable().Immutable().Comment("Y, which the second party dials and the first one's calls show (AXYB)"),
		field.Enum("kind").Values("axb", "ax", "axe", "axyb").Immutable(),
		field.String("first").Immutable().Comment("A: E.164 with +"),
		field.String("second").Default("").Immutable().Comment("B; empty: anybody (AX, AXE)"),
		field.Enum("direction").Values("both", "first", "second").Default("both").Comment("who may call whom: both, only the first the second, only the second the first"),
		field.String("extension").Default("").Immutable().Comment("what callers dial after X to reach the first party (AXE)"),
		field.Bool("record").Default(false),
		field.String("user_data").Default("").Comment("the account's own words, echoed in events"),
		created(),
		maybe("expires_at"),
		maybe("ended_at"),
	}
}

// Edges of Mask.
func (Mask) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("virtual", Number.Type).Ref("masks").Field("number_id").Unique().Required().Immutable(),
		edge.To("parties", MaskParty.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes of Mask.
func (Mask) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "created_at", "id"),
		index.Fields("number_id", "created_at"),
		index.Fields("second_number_id"),
		index.Fields("expires_at").Annotations(entsql.IndexWhere("ended_at IS NULL")),
		index.Fields("ended_at"),
	}
}

// MaskParty says that a number serves a party for a mask. The database keeps (X, party) and (X, extension) unique: a masked number could
// otherwise not tell whom a party means. A freed row stays, without its place in the unique index, as long as its mask's: it tells how long
// the number has rested, and who called it once.
type MaskParty struct{ ent.Schema }

// Fields of MaskParty.
func (MaskParty) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("mask_id", uuid.UUID{}).Immutable(),
		field.UUID("number_id", uuid.UUID{}).Immutable(),
		field.String("party").Immutable().Comment("E.164 with +"),
		field.String("extension").Optional().Nillable().Immutable(),
		maybe("freed_at"),
	}
}

// Edges of MaskParty.
func (MaskParty) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("mask", Mask.Type).Ref("parties").Field("mask_id").Unique().Required().Immutable(),
		edge.From("virtual", Number.Type).Ref("mask_parties").Field("number_id").Unique().Required().Immutable(),
	}
}

// Indexes of MaskParty.
func (MaskParty) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("number_id", "party").Unique().StorageKey("mask_party_taken").Annotations(entsql.IndexWhere("freed_at IS NULL")),
		index.Fields("number_id", "extension").Unique().StorageKey("mask_extension_taken").Annotations(entsql.IndexWhere("freed_at IS NULL")),
		index.Fields("number_id", "party", "freed_at"),
		index.Fields("mask_id"),
		index.Fields("party"),
	}
}

// SpentSignature remembers a signed request until its time stamp is too old to be shown again.
type SpentSignature struct{ ent.Schema }

// Fields of SpentSignature.
func (SpentSignature) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").StorageKey("signature").Immutable().Comment("the door and the hash of what was signed"),
		created(),
	}
}

// Indexes of SpentSignature.
func (SpentSignature) Indexes() []ent.Index { return []ent.Index{index.Fields("created_at")} }
