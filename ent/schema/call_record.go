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

// CallRecord is a call as it is searched for, whoever carried it: one of ours that has ended, or one that was imported from a carrier. It
// goes with the call that it tells of. How a search uses the indexes is in comms/record/page.go and total.go.
type CallRecord struct{ ent.Schema }

// Fields of CallRecord.
func (CallRecord) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").Immutable(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.UUID("call_id", uuid.UUID{}).Optional().Nillable().Immutable().Comment("the call of ours; none where it was imported"),
		field.UUID("carrier_id", uuid.UUID{}).Optional().Nillable().Immutable().Comment("the link that it was imported by, which may be gone since"),
		field.String("foreign_id").Optional().Nillable().Immutable().Comment("the carrier's own name for it, so that it is imported once"),
		field.String("calling").Immutable().Comment("E.164 with +; as the carrier wrote it where it is no telephone number"),
		field.String("called").Immutable(),
		field.String("dialed").Immutable(),
		field.Enum("direction").Values("incoming", "outgoing").Immutable().Comment("of a transfer: that of its first leg"),
		field.Enum("way").Values("incoming", "outgoing", "transfer").Immutable(),
		field.Int64("started_at").GoType(clock.Micros(0)).Immutable(),
		field.Int("duration").Immutable().Comment("seconds of conversation"),
		field.String("hangup").Default("").Immutable().Comment("why it ended, in words"),
		field.String("sound").Default("").Comment("the hash of its imported recording in the content store; empty: none"),
		field.Int64("sound_size").Default(0),
	}
}

// Edges of CallRecord.
func (CallRecord) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("call", Call.Type).Ref("records").Field("call_id").Unique().Immutable(),
	}
}

// Indexes of CallRecord. The first five hold all that a search looks at before it reads a record.
func (CallRecord) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "started_at", "id", "direction", "duration").StorageKey("record_time"),
		index.Fields("account_id", "direction", "duration", "started_at", "id").StorageKey("record_duration"),
		index.Fields("account_id", "calling", "direction", "started_at", "id", "duration", "called").StorageKey("record_calling"),
		index.Fields("account_id", "called", "direction", "started_at", "id", "duration", "calling").StorageKey("record_called"),
		// Most calls go where they were dialled to: those are not in it.
		index.Fields("account_id", "dialed", "started_at", "id", "direction", "duration", "calling", "called").StorageKey("record_dialed").
			Annotations(entsql.IndexWhere("dialed <> called")),
		index.Fields("account_id", "foreign_id").Unique(),
		index.Fields("call_id").Unique(),
	}
}

// RecordTally is how many records of one direction and duration an account has, in all and of each of its lines: it is what makes a total of
// many records quick. The line of a record is the account's side: who is called where it comes in, who calls where it goes out.
type RecordTally struct{ ent.Schema }

// Fields of RecordTally.
func (RecordTally) Fields() []ent.Field {
	return []ent.Field{
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.String("line").Immutable().Comment("a number with = before it; empty: all lines"),
		field.Enum("direction").Values("incoming", "outgoing").Immutable(),
		field.Int("duration").Immutable().Comment("seconds"),
		field.Int("n"),
	}
}

// Indexes of RecordTally.
func (RecordTally) Indexes() []ent.Index {
	return []ent.Index{index.Fields("account_id", "line", "direction", "duration").Unique().StorageKey("record_tally")}
}
