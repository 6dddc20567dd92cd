package call

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/account"
	"switchboard/ent/number"
	"switchboard/ent/trunk"
	"switchboard/internal/clock"
)

// question is what is to be decided: who calls whom, when.
type question struct {
	RouteCall
	Call   uuid.UUID // the conversation; Nil: a new one
	At     clock.Micros
	Placed *caller // the call is placed by an account: Account and Rings are set
	First  string  // PlaceCall.First
	Direct bool    // Dialled is a party of a mask that is reached as it is: what masks say of it doesn't count
}

// facts reads what a decision needs.
func (s *Service) facts(ctx context.Context, q question) (*facts, error) {
	f := &facts{At: q.At, Call: q.Call, Limits: s.limits, Dialled: readDialled(q.Dialled, s.country), First: readDialled(q.First, s.country),
		Numbers: map[string]*ourNumber{}, Phones: map[string][]phone{}, Blocked: map[block]bool{}}
	if f.Call == uuid.Nil {
		f.Call = uuid.New()
	}
	if err := s.readWho(ctx, f, q); err != nil {
		return nil, err
	}
	if err := s.readNumbers(ctx, f, slices.Concat(f.Dialled.numbers, f.First.numbers, f.Caller.Rings), f.Dialled.digits, f.First.digits); err != nil {
		return nil, err
	}
	to := []destination{f.resolve(f.Dialled, f.Caller.Account), f.resolve(f.First, f.Caller.Account)}
	if x := to[0].number; x != nil && !q.Direct {
		if err := s.readMasks(ctx, f, x); err != nil {
			return nil, err
		}
		to = append(to, f.resolve(f.through(x).to, x.AccountID))
	}
	if err := s.readBlocks(ctx, f); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(to, func(d destination) bool { return d.kind == outside }) {
		return f, s.readTrunks(ctx, f)
	}
	return f, nil
}

// readWho reads who calls.
func (s *Service) readWho(ctx context.Context, f *facts, q question) error {
	switch {
	case q.Placed != nil:
		f.Caller = *q.Placed
		return nil
	case q.Phone == uuid.Nil:
		f.Caller = caller{Number: readCaller(q.From, s.country)}
		if q.Trunk != uuid.Nil && strings.HasPrefix(f.Caller.Number, fictional) { // no network has such a caller: somebody poses as one of ours
			f.Caller.Number = ""
		}
		return nil
	}
	const query = `SELECT p.account_id, a.plan, p.number, r.number FROM sip_numbers p JOIN accounts a ON a.id = p.account_id
 LEFT JOIN rings r ON r.sip_number_id = p.id WHERE p.id = $1 ORDER BY r.id`
	rows, err := s.in.Read().QueryContext(ctx, query, q.Phone)
	if err != nil {
		return fmt.Errorf("find the caller: %w", err)
	}
	defer rows.Close()
	f.Caller.Phone = q.Phone
	for rows.Next() {
		var ring *string
		if err := rows.Scan(&f.Caller.Account, (*string)(&f.Caller.Plan), &f.Caller.Number, &ring); err != nil {
			return fmt.Errorf("find the caller: %w", err)
		}
		if ring != nil {
			f.Caller.Rings = append(f.Caller.Rings, *ring)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("find the caller: %w", err)
	}
	if f.Caller.Account == uuid.Nil { // deleted since it proved who it is
		return comms.Refused(comms.Unauthenticated, "", comms.ReasonNone, "there is no such telephone")
	}
	return nil
}

// readNumbers reads those of the numbers that are ours and the telephones that ring for them, and those of the caller's account that were
// dialled by their own numbers. It is one statement, because it runs for each call, and most of the cost of one is that it is another.
func (s *Service) readNumbers(ctx context.Context, f *facts, numbers []string, digits ...string) error {
	marked, args := list(append(numbers, "")) // never empty
	query := `SELECT true, n.number, n.id, n.account_id, n.number, n.alias, n.ability, n.line, n.concurrency, n.disabled, a.plan,
 EXISTS (SELECT 1 FROM mask_parties m WHERE m.number_id = n.id)
 FROM numbers n JOIN accounts a ON a.id = n.account_id WHERE n.number IN (` + marked + `)
 UNION ALL SELECT false, r.number, p.id, p.account_id, p.number, '', '', '', 0, false, '', false
 FROM rings r JOIN sip_numbers p ON p.id = r.sip_number_id WHERE r.number IN (` + marked + `)`
	if f.Caller.Account != uuid.Nil && len(digits) > 0 {
		query += ` UNION ALL SELECT false, p.number, p.id, p.account_id, p.number, '', '', '', 0, false, '', false
 FROM sip_numbers p WHERE p.number IN (` + marks(len(args), len(digits)) + `) AND p.account_id = ` + marks(len(args)+len(digits), 1)
		for _, d := range digits {
			args = append(args, d)
		}
		args = append(args, f.Caller.Account)
	}
	rows, err := s.in.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("find the numbers: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var ours bool
		var at string
		n := &ourNumber{Number: &comms.Number{}}
		if err := rows.Scan(&ours, &at, &n.ID, &n.AccountID, &n.Number.Number, &n.Alias, (*string)(&n.Ability), &n.Line, &n.Concurrency, &n.Disabled,
			(*string)(&n.Plan), &n.Masks); err != nil {
			return fmt.Errorf("find the numbers: %w", err)
		}
		if ours {
			f.Numbers[at] = n
		} else if p := (phone{n.ID, n.AccountID, n.Number.Number}); !slices.Contains(f.Phones[at], p) {
			f.Phones[at] = append(f.Phones[at], p)
		}
	}
	return rows.Err()
}

// readMasks reads what the masks on x say of the caller, and the party to which they lead: whose its number is and what rings for it.
func (s *Service) readMasks(ctx context.Context, f *facts, x *ourNumber) (err error) {
	if !x.Masks && len(f.ringing(x.Number.Number, x.AccountID)) > 0 { // most numbers: whether it is in a pool as well is no matter
		f.Mask = &maskHit{}
		return nil
	}
	known, _ := f.as(x.AccountID)
	if f.Mask, err = s.maskAt(ctx, x.Number, known, f.At); err != nil {
		return err
	}
	if ext := f.Dialled.extension; ext != "" {
		f.Beyond = readDialled(ext, s.country)
		if f.Mask.Dial {
			if f.Behind, err = s.maskExtension(ctx, x.Number, ext, f.At); err != nil {
				return err
			}
		}
	}
	if party := f.through(x).to.numbers; len(party) > 0 {
		return s.readNumbers(ctx, f, party)
	}
	return nil
}

// readBlocks reads which of the accounts concerned want nothing from the numbers that they may be shown.
func (s *Service) readBlocks(ctx context.Context, f *facts) error {
	var accounts []uuid.UUID
	var numbers []string
	for e164, n := range f.Numbers {
		if numbers = append(numbers, e164); !slices.Contains(accounts, n.AccountID) {
			accounts = append(accounts, n.AccountID)
		}
	}
	if len(accounts) == 0 {
		return nil
	}
	if numbers = append(numbers, f.Caller.Rings...); f.Caller.Number != "" {
		numbers = append(numbers, f.Caller.Number)
	}
	if f.Mask != nil && f.Mask.ShownAs != "" { // the other number of an AXYB mask, which nobody dialled
		numbers = append(numbers, f.Mask.ShownAs)
	}
	args := make([]any, 0, len(accounts)+len(numbers))
	for _, a := range accounts {
		args = append(args, a)
	}
	for _, n := range numbers {
		args = append(args, n)
	}
	rows, err := s.in.Read().QueryContext(ctx, `SELECT account_id, number FROM blocks WHERE account_id IN (`+marks(0, len(accounts))+
		`) AND number IN (`+marks(len(accounts), len(numbers))+`)`, args...)
	if err != nil {
		return fmt.Errorf("look for blocks: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var b block
		if err := rows.Scan(&b.Account, &b.Number); err != nil {
			return fmt.Errorf("look for blocks: %w", err)
		}
		f.Blocked[b] = true
	}
	return rows.Err()
}

// readTrunks reads the trunks, which an operator writes by hand: they are few.
func (s *Service) readTrunks(ctx context.Context, f *facts) (err error) {
	f.Trunks, err = s.in.Read().Trunk.Query().Where(trunk.Disabled(false)).All(ctx)
	if err != nil {
		return fmt.Errorf("read the trunks: %w", err)
	}
	return nil
}

func list(texts []string) (string, []any) {
	args := make([]any, len(texts))
	for i, t := range texts {
		args[i] = t
	}
	return marks(0, len(args)), args
}

// marks are the places of n arguments of a statement, after those that it has.
func marks(after, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("$" + strconv.Itoa(after+i+1))
	}
	return b.String()
}

// accountPlan is the plan of an account whose call has no number.
func (s *Service) accountPlan(ctx context.Context, id uuid.UUID) (account.Plan, error) {
	a, err := s.in.Read().Account.Query().Where(account.ID(id)).Select(account.FieldPlan).Only(ctx)
	if err != nil {
		return "", fmt.Errorf("read an account: %w", err)
	}
	return a.Plan, nil
}

// displayable is the account's oldest number that may be shown to those who are called; nil: it has none.
func (s *Service) displayable(ctx context.Context, id uuid.UUID) (*comms.Number, error) {
	found, err := s.in.Read().Number.Query().Where(number.AccountID(id), number.Disabled(false), number.AbilityNEQ(number.AbilityService)).
		Order(number.ByCreatedAt(), number.ByID()).Limit(1).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for a number to show: %w", err)
	}
	return append(found, nil)[0], nil
}
