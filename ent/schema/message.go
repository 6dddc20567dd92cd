package schema

import (
	"database/sql"
	"database/sql/driver"

	"entgo.io/ent"
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"
)

// Message is one message to one receiver. Its id is a time-ordered integer made by comms (milliseconds, then a sequence), so
// the primary key is also the order of every list. The two numbers and accounts are plain fields, not edges: a message
// outlives the deletion of either number.
type Message struct{ ent.Schema }

// Fields of Message.
func (Message) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id").Immutable().Annotations(entsql.Annotation{Incremental: new(bool)}),
		field.UUID("from_account", uuid.UUID{}).Immutable(),
		field.UUID("from_number_id", uuid.UUID{}).Immutable(),
		field.String("from_number").Immutable(),
		field.String("from_name").Default("").Immutable(),
		field.UUID("to_account", uuid.UUID{}).Immutable(),
		field.UUID("to_number_id", uuid.UUID{}).Immutable(),
		field.String("to_number").Immutable(),
		field.Enum("kind").Values("text", "file", "missed_call").Default("text").Immutable(),
		field.String("text").Optional().Immutable().ValueScanner(TextBytes).
			SchemaType(map[string]string{dialect.Postgres: "bytea", dialect.SQLite: "blob"}).
			Comment("the text of a text message without content: at most 4 KiB; as bytes, because PostgreSQL's text can't hold U+0000"),
		field.Int64("data_id").Immutable().Comment("the id of the first message of the same send: all its receivers share one uri"),
		field.String("content").Optional().Immutable().Comment("SHA-256 of the data in the content store, hexadecimal; empty where the text is in the row"),
		field.Int64("length").Default(0).Immutable().Comment("bytes of data"),
		field.String("file_name").Optional().Immutable(),
		created(),
		maybe("delivered_at"),
	}
}

// TextBytes stores a string as bytes.
var TextBytes = field.ValueScannerFunc[string, *sql.Null[[]byte]]{
	V: func(s string) (driver.Value, error) { return []byte(s), nil },
	S: func(b *sql.Null[[]byte]) (string, error) { return string(b.V), nil },
}

// Indexes of Message. The primary key comes last in each so that a page is one seek in PostgreSQL as in SQLite. What a number has not
// read yet is found behind its mark (Number's read_to): an index of it would be one page more for each message.
func (Message) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("to_account", "id"),
		index.Fields("from_account", "id"),
	}
}
