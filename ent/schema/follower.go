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

// Follower is a way out by which an account hears of its log: a Matrix room, or a device. It goes on from its cursor, whatever happens.
type Follower struct{ ent.Schema }

// Fields of Follower.
func (Follower) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.Enum("channel").Values("matrix", "push").Immutable(),
		field.UUID("device_id", uuid.UUID{}).Optional().Nillable().Immutable().Comment("push: the device"),
		field.String("address").Default("").Comment("matrix: whom to tell"),
		field.String("room").Default("").Comment("matrix: where"),
		field.Int64("cursor").Comment("the newest event of the account's log that was told, or that needs no telling"),
		field.Int("tries").Default(0).Comment("attempts that failed one after the other"),
		field.String("problem").Default("").Comment("why the latest failed, in a stable word"),
		maybe("next_at"),
		field.String("node").Default("").Comment("the process that tells now"),
		maybe("lease_until"),
		created(),
		maybe("told_at"),
	}
}

// Edges of Follower.
func (Follower) Edges() []ent.Edge {
	return []ent.Edge{
		edge.From("device", Device.Type).Ref("followers").Field("device_id").Unique().Immutable(),
	}
}

// Indexes of Follower.
func (Follower) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("account_id", "channel", "device_id").Unique(),
		index.Fields("account_id").Unique().StorageKey("follower_matrix").Annotations(entsql.IndexWhere("channel = 'matrix'")),
		index.Fields("device_id"),
		index.Fields("next_at").Annotations(entsql.IndexWhere("next_at IS NOT NULL")),
	}
}

// Mail is a letter that has yet to be sent: it is stored with what it tells of, and removed when a mail server has taken it.
type Mail struct{ ent.Schema }

// Fields of Mail.
func (Mail) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.UUID("account_id", uuid.UUID{}).Immutable(),
		field.String("address").Immutable(),
		field.String("subject").Immutable(),
		field.Bytes("text_sealed").Immutable().Sensitive().Comment("it may hold a link that is a credential"),
		field.Int("tries").Default(0),
		field.String("problem").Default(""),
		field.Int64("next_at").GoType(clock.Micros(0)),
		field.String("node").Default(""),
		maybe("lease_until"),
		created(),
		maybe("refused_at"), // for good: it is not tried again
	}
}

// Indexes of Mail.
func (Mail) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("next_at").Annotations(entsql.IndexWhere("refused_at IS NULL")),
		index.Fields("refused_at").Annotations(entsql.IndexWhere("refused_at IS NOT NULL")),
		index.Fields("account_id"),
	}
}
