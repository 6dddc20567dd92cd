package comms

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/ring"
)

// PhoneNumber is a number in E.164, for a door that must refuse a bad one where it has no verb to call.
func PhoneNumber(field, text string) (string, error) { return canonical(field, text) }

// canonical is a phone number in E.164: +, then 7 to 15 digits of which the first is no 0. It reads what people write: with or without +
// (or 00), with spaces, dashes, dots and parentheses. Whether a numbering plan has such a number is not asked: see
// docs/adr/0008-phone-numbers.md.
func canonical(field, text string) (string, error) {
	if len(text) > 64 {
		return "", invalid(field, "%s is not a phone number", field)
	}
	var b strings.Builder
	b.WriteByte('+')
	plus := false
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			b.WriteByte(c)
		case c == '+' && !plus && b.Len() == 1:
			plus = true
		case strings.IndexByte(" -.()", c) >= 0:
		default:
			return "", invalid(field, "%s is not a phone number", field)
		}
	}
	e164 := b.String()
	if !plus {
		e164 = "+" + strings.TrimPrefix(e164[1:], "00")
	}
	if n := len(e164) - 1; n < 7 || n > 15 || e164[1] == '0' {
		return "", invalid(field, "%s is not a phone number: +, the country's code and the number, 7 to 15 digits", field)
	}
	return e164, nil
}

// CheckSipNumber refuses what can't be the number of a telephone. It is the user part of its address of record, and short or long as its
// owner likes: it is dialled within the account alone, so it takes no number from anybody.
func CheckSipNumber(field, number string) error {
	if !isDigits(number, 2, 15) {
		return invalid(field, "the number of a telephone must be 2 to 15 digits")
	}
	return nil
}

// CheckSipPassword refuses what can't be the password of a telephone.
func CheckSipPassword(field, password string) error {
	if !isVisible(password, 8, 128) {
		return invalid(field, "the password of a telephone must have 8 to 128 ASCII characters, and no spaces")
	}
	return nil
}

// CheckAlias refuses what can't be an alias of a number or a telephone.
func CheckAlias(alias string) error { return checkAlias(alias) }

// CanonicalRings is the numbers that a telephone rings for in the form in which they are stored; nil stays nil.
func CanonicalRings(rings []string) ([]string, error) {
	if len(rings) > mostRings {
		return nil, invalid("rings", "a telephone can ring for %d numbers at most", mostRings)
	}
	return canonicalList("rings", rings)
}

const mostRings = 100

// PhonePasswordOf names the password of a telephone for Seal and Open.
func PhonePasswordOf(sipNumber string) string { return "sip:" + sipNumber }

// PhonesLock is taken by whoever makes a telephone. Their numbers are unique among all accounts, and of two who want one number the second
// is to be told so, not to break on the index.
var PhonesLock = uuid.NewSHA1(uuid.Nil, []byte("phones"))

// NewPhonePassword is a password for a telephone whose owner gave none.
func NewPhonePassword() string { return hex32() }

// PutRings makes a telephone ring for exactly these numbers, in this order (of the rows' ids): the first is what it shows when it calls.
func (i Inside) PutRings(ctx context.Context, c *Change, phone uuid.UUID, numbers []string) ([]*ent.Ring, error) {
	return putRings(ctx, c, phone, numbers)
}

func putRings(ctx context.Context, c *change, phone uuid.UUID, numbers []string) ([]*ent.Ring, error) {
	have, err := c.tx.Ring.Query().Where(ring.SipNumberID(phone)).Order(ring.ByID()).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what a telephone rings for: %w", err)
	}
	if slices.EqualFunc(have, numbers, func(r *ent.Ring, number string) bool { return r.Number == number }) {
		return have, nil
	}
	if _, err := c.tx.Ring.Delete().Where(ring.SipNumberID(phone)).Exec(ctx); err != nil {
		return nil, fmt.Errorf("remove what a telephone rings for: %w", err)
	}
	add := make([]*ent.RingCreate, len(numbers))
	for i, number := range numbers {
		add[i] = c.tx.Ring.Create().SetSipNumberID(phone).SetNumber(number)
	}
	if err := c.tx.SipNumber.UpdateOneID(phone).SetUpdatedAt(c.now).Exec(ctx); err != nil {
		return nil, fmt.Errorf("store a telephone: %w", err)
	}
	rows, err := c.tx.Ring.CreateBulk(add...).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("store what a telephone rings for: %w", err)
	}
	return rows, nil
}
