package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
)

// Account owns numbers, messages, calls and everything else; nothing is shared between two of them.
type Account struct{ ent.Schema }

// Fields of Account.
func (Account) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.String("email").Unique().Comment("lower case; what the owner typed is not kept"),
		field.String("password_hash").Sensitive(),
		field.Enum("plan").Values("free", "business").Default("free"),
		field.Bool("operator").Default(false).Comment("may see and change other accounts' plans"),
		field.Bool("active").Default(true).Comment("false until the owner of the email has followed the link that was mailed to it"),
		field.Bytes("activation_hash").Optional().Unique().Sensitive().Comment("of the link's token"),
		maybe("activation_until"),
		field.String("matrix_id").Optional().Nillable(),
		field.Bytes("api_key_hash").Unique().Sensitive().Comment("keyed hash: look-up only"),
		field.Bytes("api_key_sealed").Sensitive().Comment("encrypted under the server's key: it must be shown again"),
		field.Bytes("auth_token_hash").Optional().Unique().Sensitive().Comment("privacy call's authorisation token"),
		field.Bytes("auth_token_sealed").Optional().Sensitive(),
		field.Int64("trimmed_to").Default(0).Comment("the newest event of this account's log that retention removed"),
		created(),
	}
}

// Edges of Account.
func (Account) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("numbers", Number.Type),
		edge.To("applications", Application.Type),
		edge.To("api_tokens", ApiToken.Type),
		edge.To("sessions", Session.Type),
		edge.To("blocks", Block.Type),
		edge.To("groups", NumberGroup.Type),
		edge.To("sip_numbers", SipNumber.Type),
		edge.To("carriers", CarrierLink.Type),
	}
}

// Indexes of Account.
func (Account) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("created_at", "id"),
		index.Fields("operator").Annotations(entsql.IndexWhere("operator")),
		index.Fields("activation_until").Annotations(entsql.IndexWhere("NOT active")),
	}
}
