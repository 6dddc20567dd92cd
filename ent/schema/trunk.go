package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Trunk is a line to a carrier. It belongs to the server: the operator makes it, every account's calls may go through it.
type Trunk struct{ ent.Schema }

// Fields of Trunk.
func (Trunk) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.String("name").Unique().Immutable().Comment("what a number's line names"),
		field.String("address").Comment("host or host:port"),
		field.Enum("transport").Values("udp", "tcp", "tls").Default("udp"),
		field.String("username").Default("").Comment("for digest; empty: the trunk knows us by our address"),
		field.Bytes("password_sealed").Optional().Sensitive(),
		field.Bool("register").Default(false).Comment("we register there"),
		field.JSON("prefixes", []string{}).Comment("what may be dialled through it: the beginnings of E.164 numbers, without +; none: nothing"),
		field.JSON("sources", []string{}).Optional().Comment("networks that its calls come from; none: the addresses of its host"),
		field.Enum("caller_id").Values("own", "fixed", "withheld").Default("own").Comment("what is shown through it: the number of ours that calls, one number for all, or none"),
		field.String("fixed_caller").Default("").Comment("E.164 with +"),
		field.Int("concurrency").Default(30).Comment("calls at once"),
		field.Int("per_minute").Default(120).Comment("new calls in a minute"),
		field.Bool("disabled").Default(false),
		created(),
	}
}

// Contact is where a telephone can be reached: one address of record's binding (RFC 3261 section 10).
type Contact struct{ ent.Schema }

// Fields of Contact.
func (Contact) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("sip_number_id", uuid.UUID{}).Immutable(),
		field.String("uri").Immutable(),
		field.String("source").Comment("host:port that the REGISTER came from, which is where the telephone is reached"),
		field.String("transport").Comment("udp, tcp, tls, ws or wss"),
		field.String("user_agent").Default(""),
		field.String("call_id"),
		field.Int64("cseq"),
		field.String("node").Default("").Comment("the process that holds its connection"),
		created(),
		maybe("expires_at"),
	}
}

// Edges of Contact.
func (Contact) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("phone", SipNumber.Type).Ref("contacts").Field("sip_number_id").Unique().Required().Immutable(),
	}
}

// Indexes of Contact.
func (Contact) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("sip_number_id", "uri").Unique(),
		index.Fields("expires_at"),
	}
}
