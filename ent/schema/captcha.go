package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"
	"github.com/google/uuid"

	"switchboard/internal/clock"
)

// Captcha is a question (a + b) that was asked, and once it is solved the token that it earned. A wrong answer and a use of the
// token delete the row. No two open questions have the same a and b: the client names the question by them.
type Captcha struct{ ent.Schema }

// Fields of Captcha.
func (Captcha) Fields() []ent.Field {
	return []ent.Field{
		id(),
		field.Int("a"),
		field.Int("b"),
		field.UUID("token", uuid.UUID{}).Optional().Nillable().Unique(),
		field.Bool("solved").Default(false),
		field.Int64("expires_at").GoType(clock.Micros(0)),
	}
}

// Indexes of Captcha.
func (Captcha) Indexes() []ent.Index {
	return []ent.Index{
		index.Fields("a", "b").Unique().Annotations(entsql.IndexWhere("NOT solved")),
		index.Fields("expires_at"),
	}
}
