package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Call is the record of one call as one account sees it: each number of ours that takes part has its own, so that what two accounts see
// of one conversation can't mix. It goes with its number.
type Call struct{ ent.Schema }

// Fields of Call.
func (Call) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("conversation_id", uuid.UUID{}).Immutable().Comment("shared by all records of one conversation: the id of the first of them; never shown"),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.UUID("number_id", uuid.UUID{}).Optional().Nillable().Immutable().Comment("the account's number that took part; none where two telephones spoke without one"),
		field.String("peer").Immutable().Comment("the other side as this account may see it: E.164 with +, a telephone's number, or empty: withheld"),
		field.String("second").Default("").Comment("whom the call was put through to: the masked party, or the callee of a click-to-call whose first leg is the peer"),
		field.Bool("transferred").Default(false).Comment("its second side was replaced: second says by whom"),
		field.Enum("direction").Values("incoming", "outgoing").Immutable(),
		field.Enum("status").Values("queued", "dialling", "ringing", "answered", "ended").Default("queued"),
		field.Enum("outcome").Values("answered", "missed", "busy", "blocked", "cancelled", "failed").Optional().Nillable().Comment("what became of it, once it has ended"),
		field.String("reason").Default("").Comment("why it ended so, in a stable word"),
		field.Int("sip_status").Default(0).Comment("the SIP status that ended it (RFC 3261 section 21); 0: none was seen"),
		field.Int("cause").Default(0).Comment("Q.850 cause; 0: none"),
		field.Int("duration").Default(0).Comment("seconds of conversation"),
		field.Bool("record").Default(false).Comment("it is recorded from the answer on"),
		field.UUID("mask_id", uuid.UUID{}).Optional().Nillable().Comment("the mask that it went through; it may be gone since"),
		field.UUID("application_id", uuid.UUID{}).Optional().Nillable(),
		field.String("client_key").Optional().Nillable().Immutable().Comment("the account's own name for it (OpenCloud: callId)"),
		field.String("user_data").Default(""),
		field.String("node").Default("").Immutable().Comment("the process that holds it while it lives"),
		created(),
		maybe("dialled_at"),
		maybe("ringing_at"),
		maybe("answered_at"),
		maybe("ended_at"),
	}
}

// Edges of Call.
func (Call) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("virtual", Number.Type).Ref("calls").Field("number_id").Unique().Immutable(),
		edge.To("recordings", Recording.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
		edge.To("records", CallRecord.Type).Annotations(entsql.OnDelete(entsql.Cascade)),
	}
}

// Indexes of Call.
func (Call) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "created_at", "id"),
		index.Fields("number_id", "created_at", "id"),
		index.Fields("conversation_id"),
		index.Fields("account_id", "client_key").Unique(),
		index.Fields("node").StorageKey("call_live").Annotations(entsql.IndexWhere("ended_at IS NULL")),
	}
}

// Recording is the sound of a call, or of a part of it: a WAV with the caller's side on the left and the other on the right.
type Recording struct{ ent.Schema }

// Fields of Recording.
func (Recording) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.UUID("call_id", uuid.UUID{}).Immutable(),
		field.Enum("status").Values("recording", "ready", "failed", "deleted").Default("recording"),
		field.Int("duration").Default(0).Comment("milliseconds"),
		field.Int64("size").Default(0).Comment("bytes of the file"),
		field.String("node").Default("").Immutable().Comment("the process that writes it"),
		created(),
		maybe("ready_at"),
	}
}

// Edges of Recording.
func (Recording) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("call", Call.Type).Ref("recordings").Field("call_id").Unique().Required().Immutable(),
	}
}

// Indexes of Recording.
func (Recording) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "created_at", "id"),
		index.Fields("call_id"),
		index.Fields("created_at"),
		index.Fields("node").StorageKey("recording_live").Annotations(entsql.IndexWhere("ready_at IS NULL")),
	}
}
