package pool

import (
	"context"
	"fmt"

	"switchboard/comms"
	"switchboard/comms/call"
	"switchboard/ent/sipnumber"
)

// takePhones takes the telephones over. What they ring for no source tells: they ring for nothing until somebody says so here.
func (i *importing) takePhones(ctx context.Context) error {
	seen := map[string]bool{}
	var good []ImportPhone
	for _, p := range i.pool.Phones {
		if err := comms.CheckSipNumber("number", p.Number); err != nil {
			i.leave(KindPhone, p.Number, comms.AsError(err).Text)
			continue
		}
		if err := comms.CheckSipPassword("password", p.Password); err != nil {
			i.leave(KindPhone, p.Number, comms.AsError(err).Text)
			continue
		}
		if seen[p.Number] {
			i.leave(KindPhone, p.Number, "the source has it twice")
			continue
		}
		seen[p.Number] = true
		good = append(good, p)
	}
	return inBatches(ctx, i, good, &i.out.Phones, i.putPhones)
}

func (i *importing) putPhones(ctx context.Context, b *batch, list []ImportPhone) error {
	wanted := make([]string, len(list))
	for k, p := range list {
		wanted[k] = p.Number
	}
	rows, err := b.Tx().SipNumber.Query().Where(sipnumber.NumberIn(wanted...)).All(ctx)
	if err != nil {
		return fmt.Errorf("look for telephones: %w", err)
	}
	have := make(map[string]*comms.SipNumber, len(rows))
	for _, p := range rows {
		have[p.Number] = p
	}
	own, err := b.Tx().SipNumber.Query().Where(sipnumber.AccountID(i.account)).Count(ctx)
	if err != nil {
		return fmt.Errorf("count telephones: %w", err)
	}
	for _, wish := range list {
		switch p := have[wish.Number]; {
		case p == nil && own >= call.MostPhones:
			b.leave(KindPhone, wish.Number, fmt.Sprintf("an account can have %d telephones", call.MostPhones))
		case p == nil:
			own++
			if err := i.insertPhone(ctx, b, wish); err != nil {
				return err
			}
		case p.AccountID != i.account:
			b.leave(KindPhone, wish.Number, notOurs)
		default:
			password, err := i.in.Open(comms.PhonePasswordOf(p.Number), p.PasswordSealed)
			if err != nil {
				return err
			}
			if string(password) != wish.Password { // no credential that exists is changed
				b.leave(KindPhone, wish.Number, "it has another password here, which stays")
				continue
			}
			b.counts.Same++
		}
	}
	return nil
}

func (i *importing) insertPhone(ctx context.Context, b *batch, wish ImportPhone) error {
	phone, err := b.Tx().SipNumber.Create().SetAccountID(i.account).SetNumber(wish.Number).
		SetPasswordSealed(i.in.Seal(comms.PhonePasswordOf(wish.Number), []byte(wish.Password))).SetCreatedAt(b.Now()).SetUpdatedAt(b.Now()).Save(ctx)
	if err != nil {
		return fmt.Errorf("store a telephone: %w", err)
	}
	b.counts.New++
	b.Tell(&comms.Event{Kind: comms.PhoneCreated, AccountID: i.account, Phone: phone})
	return nil
}
