package comms

import (
	"context"
	"crypto/hmac"
	"fmt"
	"strings"

	"entgo.io/ent/dialect/sql"
	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/account"
	"switchboard/ent/setting"
)

// operatorPrefix names the settings that hold the hashes of one-time operator tokens, one for each node: each prints its own.
const operatorPrefix = "operator_token:"

var operatorLock = uuid.NewSHA1(uuid.Nil, []byte("operator"))

// OperatorToken makes a token with which an account can become the operator's, once; the one that this node made before ends. Where
// there is an operator already it is empty.
func (s *Service) OperatorToken(ctx context.Context) (string, error) {
	token := newCredential("swo_")
	err := s.change(ctx, func(ctx context.Context, c *change) error {
		there, err := c.tx.Account.Query().Where(account.Operator(true)).Exist(ctx)
		if err != nil {
			return fmt.Errorf("look for an operator: %w", err)
		}
		if there {
			token = ""
			return nil
		}
		return c.tx.Setting.Create().SetID(operatorPrefix + s.node).SetValue(s.keys.lookup("operator", token)).
			OnConflictColumns(setting.FieldID).UpdateNewValues().Exec(ctx)
	})
	if err != nil {
		return "", fmt.Errorf("make an operator token: %w", err)
	}
	return token, nil
}

// ClaimOperator makes the caller's account the operator's. All one-time tokens end with it.
func (s *Service) ClaimOperator(ctx context.Context, token string) (acc *Account, err error) {
	a, err := demand(ctx, allScopes)
	if err != nil {
		return nil, err
	}
	hash := s.keys.lookup("operator", token)
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		if err := s.store.Lock(ctx, c.tx, operatorLock, a.AccountID); err != nil { // one claims it
			return err
		}
		mine := func(q *sql.Selector) { q.Where(sql.HasPrefix(q.C(setting.FieldID), operatorPrefix)) }
		rows, err := c.tx.Setting.Query().Where(mine).All(ctx)
		if err != nil {
			return fmt.Errorf("look for an operator token: %w", err)
		}
		right := false
		for _, r := range rows {
			right = right || hmac.Equal(r.Value, hash)
		}
		if !right {
			return &Error{Code: Forbidden, Field: "token", Text: "this is not the operator token, or it was used"}
		}
		if _, err := c.tx.Setting.Delete().Where(mine).Exec(ctx); err != nil {
			return fmt.Errorf("end the operator tokens: %w", err)
		}
		if acc, err = c.tx.Account.UpdateOneID(a.AccountID).SetOperator(true).Save(ctx); err != nil {
			return fmt.Errorf("store an operator: %w", err)
		}
		c.tell(&Event{Kind: AccountUpdated, AccountID: acc.ID, Account: acc})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return acc, nil
}

// operator is the caller, if his account is an operator's.
func (s *Service) operator(ctx context.Context, scope Scope) error {
	a, err := demand(ctx, scope)
	if err != nil {
		return err
	}
	acc, err := s.account(ctx, a)
	if err != nil {
		return err
	}
	if !acc.Operator {
		return &Error{Code: Forbidden, Text: "only the operator may do this"}
	}
	return nil
}

// Accounts lists all accounts, oldest first. Only for the operator.
func (s *Service) Accounts(ctx context.Context, p Page) (*PageOf[*Account], error) {
	if err := s.operator(ctx, ReadAccount); err != nil {
		return nil, err
	}
	return pageOf(ctx, s, p, list[*Account]{name: 'a', columns: byTime,
		place: func(a *Account) place { return place{at: a.CreatedAt, id: a.ID} },
		read: func(ctx context.Context, w window) ([]*Account, error) {
			return s.store.Read().Account.Query().Where(w.where).Order(w.order).Limit(w.limit).All(ctx)
		}})
}

// SetAccountPlan asks to put an account on a plan: "free" or "business".
type SetAccountPlan struct {
	AccountID uuid.UUID
	Plan      string
}

// SetAccountPlan changes an account's plan. Only for the operator. Numbers beyond the free plan's limit stay.
func (s *Service) SetAccountPlan(ctx context.Context, in SetAccountPlan) (*Account, error) {
	if err := s.operator(ctx, WriteAccount); err != nil {
		return nil, err
	}
	plan := account.Plan(strings.ToLower(in.Plan))
	if err := account.PlanValidator(plan); err != nil {
		return nil, invalid("plan", "there is no such plan")
	}
	return s.updateAccount(ctx, in.AccountID, func(u *ent.AccountUpdateOne) { u.SetPlan(plan) })
}
