package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Number is a virtual telephone number. Its id is also its credential in the messaging API: show it to nobody but its owner.
type Number struct{ ent.Schema }

// Fields of Number.
func (Number) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.String("number").Unique().Immutable().Comment("E.164 with +"),
		field.String("alias").Default(""),
		field.String("pin_hash").Optional().Sensitive().Comment("slow hash; empty where the number was provisioned without a PIN"),
		field.Enum("ability").Values("display", "service", "both").Default("both"),
		field.Enum("source").Values("trunk", "virtual").Default("virtual"),
		field.Int("concurrency").Default(1).Comment("calls at once"),
		field.String("line").Default("").Comment("the carrier line's name"),
		field.String("area_code").Default(""),
		field.Bool("disabled").Default(false),
		field.UUID("device_id", uuid.UUID{}).Optional().Nillable().Comment("where its messages are pushed"),
		field.Int64("read_to").Default(0).StructTag(`json:"-"`).Comment("no message to it with this id or a lower one is unread: comms/message_deliver.go"),
		maybe("shown_at"), // by a number group that chose it
		created(),
		updated(),
	}
}

// Edges of Number.
func (Number) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("account", Account.Type).Ref("numbers").Field("account_id").Unique().Required().Immutable(),
		edge.From("device", Device.Type).Ref("numbers").Field("device_id").Unique(),
		edge.From("groups", NumberGroup.Type).Ref("numbers"),
		edge.From("applications", Application.Type).Ref("pool"),
		edge.To("calls", Call.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("masks", Mask.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("choices", GroupChoice.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("mask_parties", MaskParty.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes of Number.
func (Number) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "created_at", "id"),
		index.Fields("device_id"),
	}
}

// RetiredNumber remembers a number that was deleted, so that it is never drawn for somebody else, who would then get
// the messages and calls meant for its earlier owner.
type RetiredNumber struct{ ent.Schema }

// Fields of RetiredNumber.
func (RetiredNumber) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").StorageKey("number").Immutable(),
		created(),
	}
}
