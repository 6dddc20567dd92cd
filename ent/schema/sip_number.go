package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// SipNumber is a telephone that may register: its number is the user name, its password is shown to its owner again.
type SipNumber struct{ ent.Schema }

// Fields of SipNumber.
func (SipNumber) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.String("number").Unique().Immutable(),
		field.Bytes("password_sealed").Sensitive(),
		field.Bool("secure").Default(false).Comment("its calls must be encrypted: TLS and SRTP"),
		field.String("alias").Default(""),
		maybe("registered_at"),
		created(),
		updated(),
	}
}

// Edges of SipNumber.
func (SipNumber) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("account", Account.Type).Ref("sip_numbers").Field("account_id").Unique().Required().Immutable(),
		edge.To("rings", Ring.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("contacts", Contact.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes of SipNumber.
func (SipNumber) Indexes() []ent.Index {
	return []ent.Index{index.Fields("account_id", "created_at", "id")}
}

// Ring says that a call to a number rings a telephone. The number need not be one of ours: a phone may stand for an outside number.
type Ring struct{ ent.Schema }

// Fields of Ring.
func (Ring) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("sip_number_id", uuid.UUID{}).Immutable(),
		field.String("number").Immutable().Comment("E.164 with +"),
	}
}

// Edges of Ring.
func (Ring) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("phone", SipNumber.Type).Ref("rings").Field("sip_number_id").Unique().Required().Immutable(),
	}
}

// Indexes of Ring.
func (Ring) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("sip_number_id", "number").Unique(),
		index.Fields("number"),
	}
}
