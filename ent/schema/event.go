package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Event is one line of an account's log: written in the transaction of the change that it tells of, never changed. Its id
// rises in the order of commits within an account; it is the cursor.
type Event struct{ ent.Schema }

// Fields of Event.
func (Event) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").Immutable(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.String("kind").Immutable().Comment("noun.past, as message.received"),
		field.UUID("number_id", uuid.UUID{}).Optional().Nillable().Immutable().Comment("the account's number that it happened to"),
		field.Int64("message_id").Optional().Nillable().Immutable().Comment("the message that it happened to: what an event tells of it never changes, so it is not copied"),
		field.UUID("call_id", uuid.UUID{}).Optional().Nillable().Immutable().Comment("the account's record of the call that it tells of"),
		field.Bytes("fact").Optional().Immutable().Comment("JSON: how everything else stood at the commit"),
		created(),
	}
}

// Indexes of Event.
func (Event) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "id"),
		// Few events tell of calls, and messages are what must be fast: those of calls alone are in it.
		index.Fields("call_id", "id").Annotations(entsql.IndexWhere("call_id IS NOT NULL")),
	}
}
