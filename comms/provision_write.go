package comms

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"switchboard/ent"
	"switchboard/ent/account"
	"switchboard/ent/application"
	"switchboard/ent/number"
	"switchboard/ent/numbergroup"
	"switchboard/ent/sipnumber"
)

// provisioning brings one account to what was wished.
type provisioning struct {
	*Service
	*change
	wish    ProvisionAccount
	out     *ProvisionedAccount
	account *Account
	numbers map[string]*Number // the account's, by number
}

func (p *provisioning) all(ctx context.Context, passwordHash string) error {
	if err := p.putAccount(ctx, passwordHash); err != nil {
		return err
	}
	p.out.Email = p.account.Email
	key, err := p.keys.open(apiKeyOf(p.account.ID), p.account.APIKeySealed)
	if err != nil {
		return err
	}
	p.out.ApiKey = string(key)
	for _, put := range []func(context.Context) error{p.putNumbers, p.putGroups, p.putApplications, p.putPhones} {
		if err := put(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *provisioning) putAccount(ctx context.Context, passwordHash string) error {
	// One that was never activated is nobody's yet, and whoever registered it chose its password: it makes room.
	if id, err := p.tx.Account.Query().Where(account.Email(p.wish.Email), account.Active(false)).OnlyID(ctx); err == nil {
		if err := removeInactive(ctx, p.change, id); err != nil {
			return err
		}
	} else if !ent.IsNotFound(err) {
		return fmt.Errorf("look for an email: %w", err)
	}
	acc, err := p.tx.Account.Query().Where(account.Email(p.wish.Email)).Only(ctx)
	switch {
	case ent.IsNotFound(err) && passwordHash == "":
		return &Error{Code: Unavailable, Text: "the account went away just now, try again", RetryAfter: time.Second}
	case ent.IsNotFound(err):
		acc, err = p.insertAccount(ctx, p.change, newAccount{email: p.wish.Email, passwordHash: passwordHash})
	}
	if err != nil {
		return err
	}
	p.account = acc
	if plan := account.Plan(p.wish.Plan); plan != "" && plan != acc.Plan {
		if p.account, err = acc.Update().SetPlan(plan).Save(ctx); err != nil {
			return fmt.Errorf("store a plan: %w", err)
		}
		p.tell(&Event{Kind: AccountUpdated, AccountID: acc.ID, Account: p.account})
	}
	return nil
}

func (p *provisioning) putNumbers(ctx context.Context) error {
	have, err := p.tx.Number.Query().Where(number.AccountID(p.account.ID)).All(ctx)
	if err != nil {
		return fmt.Errorf("read numbers: %w", err)
	}
	p.numbers = make(map[string]*Number, len(have))
	for _, n := range have {
		p.numbers[n.Number] = n
	}
	for i, wish := range p.wish.Numbers {
		n, err := p.putNumber(ctx, wish)
		if err != nil {
			return within(fmt.Sprintf("numbers[%d]", i), err)
		}
		p.numbers[n.Number] = n
		p.out.Numbers = append(p.out.Numbers, n)
	}
	return nil
}

func (p *provisioning) putNumber(ctx context.Context, wish ProvisionNumber) (*Number, error) {
	n := p.numbers[wish.Number]
	if n != nil {
		return p.updateNumber(ctx, n, wish)
	}
	taken, err := p.tx.Number.Query().Where(number.Number(wish.Number)).Exist(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for a number: %w", err)
	}
	if taken {
		// That may be said: only the operator provisions.
		return nil, conflict("number", ReasonNone, "%s belongs to another account", wish.Number)
	}
	create := p.tx.Number.Create().SetAccountID(p.account.ID).SetNumber(wish.Number).SetCreatedAt(p.now).SetUpdatedAt(p.now).
		SetNillableAlias(wish.Alias).SetNillableConcurrency(wish.Concurrency).SetNillableLine(wish.Line).SetNillableAreaCode(wish.AreaCode)
	if wish.Ability != "" {
		create.SetAbility(number.Ability(wish.Ability))
	}
	if wish.Source != "" {
		create.SetSource(number.Source(wish.Source))
	}
	if n, err = create.Save(ctx); err != nil {
		return nil, fmt.Errorf("store a number: %w", err)
	}
	p.tell(&Event{Kind: NumberCreated, AccountID: p.account.ID, NumberID: n.ID, Number: n})
	return n, nil
}

// updateNumber writes and tells only what differs.
func (p *provisioning) updateNumber(ctx context.Context, n *Number, wish ProvisionNumber) (*Number, error) {
	next := *n
	set(&next.Alias, wish.Alias)
	set(&next.Concurrency, wish.Concurrency)
	set(&next.Line, wish.Line)
	set(&next.AreaCode, wish.AreaCode)
	if wish.Ability != "" {
		next.Ability = number.Ability(wish.Ability)
	}
	if wish.Source != "" {
		next.Source = number.Source(wish.Source)
	}
	if next.Alias == n.Alias && next.Concurrency == n.Concurrency && next.Line == n.Line && next.AreaCode == n.AreaCode &&
		next.Ability == n.Ability && next.Source == n.Source {
		return n, nil
	}
	n, err := p.tx.Number.UpdateOneID(n.ID).SetAlias(next.Alias).SetConcurrency(next.Concurrency).SetLine(next.Line).
		SetAreaCode(next.AreaCode).SetAbility(next.Ability).SetSource(next.Source).SetUpdatedAt(p.now).Save(ctx)
	if err != nil {
		return nil, fmt.Errorf("store a number: %w", err)
	}
	p.tell(&Event{Kind: NumberUpdated, AccountID: p.account.ID, NumberID: n.ID, Number: n})
	return n, nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// idsOf are the ids of some of the account's numbers.
func (p *provisioning) idsOf(field string, list []string) (map[uuid.UUID]bool, error) {
	out := make(map[uuid.UUID]bool, len(list))
	for i, e164 := range list {
		n := p.numbers[e164]
		if n == nil {
			return nil, notFound(fmt.Sprintf("%s[%d]", field, i), "%s is not a number of this account", e164)
		}
		out[n.ID] = true
	}
	return out, nil
}

// difference is what must be added to and removed from have to make it want.
func difference[T comparable](have []T, want map[T]bool) (add, remove []T) {
	want = maps.Clone(want)
	for _, v := range have {
		if want[v] {
			delete(want, v)
		} else {
			remove = append(remove, v)
		}
	}
	return slices.Collect(maps.Keys(want)), remove
}

func (p *provisioning) putGroups(ctx context.Context) error {
	for i, wish := range p.wish.Groups {
		if err := p.putGroup(ctx, wish); err != nil {
			return within(fmt.Sprintf("groups[%d]", i), err)
		}
	}
	return nil
}

func (p *provisioning) putGroup(ctx context.Context, wish ProvisionGroup) error {
	kind := GroupUpdated
	g, err := p.tx.NumberGroup.Query().Where(numbergroup.AccountID(p.account.ID), numbergroup.Name(wish.Name)).Only(ctx)
	if ent.IsNotFound(err) {
		kind = GroupCreated
		g, err = p.tx.NumberGroup.Create().SetAccountID(p.account.ID).SetName(wish.Name).SetCreatedAt(p.now).SetUpdatedAt(p.now).Save(ctx)
	}
	if err != nil {
		return fmt.Errorf("store a group: %w", err)
	}
	changed, err := p.putGroupNumbers(ctx, g, wish)
	if err != nil {
		return err
	}
	if changed || kind == GroupCreated {
		p.tell(&Event{Kind: kind, AccountID: p.account.ID, Group: g})
	}
	return nil
}

// putGroupNumbers makes a group have exactly the numbers that are wished for, if any are named.
func (p *provisioning) putGroupNumbers(ctx context.Context, g *NumberGroup, wish ProvisionGroup) (changed bool, err error) {
	if wish.Numbers == nil {
		return false, nil
	}
	want, err := p.idsOf("numbers", wish.Numbers)
	if err != nil {
		return false, err
	}
	have, err := g.QueryNumbers().IDs(ctx)
	if err != nil {
		return false, fmt.Errorf("read a group: %w", err)
	}
	add, remove := difference(have, want)
	if len(add)+len(remove) == 0 {
		return false, nil
	}
	next, err := g.Update().AddNumberIDs(add...).RemoveNumberIDs(remove...).SetUpdatedAt(p.now).Save(ctx)
	if err != nil {
		return false, fmt.Errorf("store a group's numbers: %w", err)
	}
	*g = *next
	return true, nil
}

func (p *provisioning) putApplications(ctx context.Context) error {
	if len(p.wish.Applications) == 0 {
		return nil
	}
	token, err := p.accountToken(ctx)
	if err != nil {
		return err
	}
	for i, wish := range p.wish.Applications {
		app, err := p.putApplication(ctx, wish)
		if err != nil {
			return within(fmt.Sprintf("applications[%d]", i), err)
		}
		secret, err := p.keys.open(SecretKeyOf(app.AppID), app.SecretKeySealed)
		if err != nil {
			return err
		}
		p.out.Applications = append(p.out.Applications, ProvisionedApplication{
			Name: app.Name, AccountToken: token, AppID: app.AppID, AppKey: app.AppKey, SecretKey: string(secret)})
	}
	return nil
}

// accountToken is privacy call's authorisation token of the account, made when its first application is.
func (p *provisioning) accountToken(ctx context.Context) (string, error) {
	if p.account.AuthTokenSealed != nil {
		token, err := p.keys.open(authTokenOf(p.account.ID), p.account.AuthTokenSealed)
		return string(token), err
	}
	token := hex32()
	acc, err := p.tx.Account.UpdateOneID(p.account.ID).SetAuthTokenHash(p.keys.lookup("authtoken", token)).
		SetAuthTokenSealed(p.keys.seal(authTokenOf(p.account.ID), []byte(token))).Save(ctx)
	if err != nil {
		return "", fmt.Errorf("store an authorisation token: %w", err)
	}
	p.account = acc
	return token, nil
}

func (p *provisioning) putApplication(ctx context.Context, wish ProvisionApplication) (*Application, error) {
	app, err := p.tx.Application.Query().Where(application.AccountID(p.account.ID), application.Name(wish.Name)).Only(ctx)
	switch {
	case ent.IsNotFound(err):
		id := hex32()
		app, err = p.tx.Application.Create().SetAccountID(p.account.ID).SetName(wish.Name).SetAppID(id).SetAppKey(hex32()).
			SetSecretKeySealed(p.keys.seal(SecretKeyOf(id), []byte(hex32()))).SetNillableRecord(wish.Record).SetCreatedAt(p.now).Save(ctx)
	case err == nil && wish.Record != nil && *wish.Record != app.Record:
		app, err = app.Update().SetRecord(*wish.Record).Save(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("store an application: %w", err)
	}
	if wish.Pool == nil {
		return app, nil
	}
	want, err := p.idsOf("pool", wish.Pool)
	if err != nil {
		return nil, err
	}
	have, err := app.QueryPool().IDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("read a pool: %w", err)
	}
	if add, remove := difference(have, want); len(add)+len(remove) > 0 {
		if err := app.Update().AddPoolIDs(add...).RemovePoolIDs(remove...).Exec(ctx); err != nil {
			return nil, fmt.Errorf("store a pool: %w", err)
		}
	}
	return app, nil
}

func (p *provisioning) putPhones(ctx context.Context) error {
	for i, wish := range p.wish.SipNumbers {
		if err := p.putPhone(ctx, wish); err != nil {
			return within(fmt.Sprintf("sipNumbers[%d]", i), err)
		}
	}
	return nil
}

func (p *provisioning) putPhone(ctx context.Context, wish ProvisionSipNumber) error {
	phone, err := p.tx.SipNumber.Query().Where(sipnumber.Number(wish.Number)).Only(ctx)
	switch {
	case ent.IsNotFound(err):
		password := wish.Password
		if password == "" {
			password = NewPhonePassword()
		}
		phone, err = p.tx.SipNumber.Create().SetAccountID(p.account.ID).SetNumber(wish.Number).SetCreatedAt(p.now).SetUpdatedAt(p.now).
			SetPasswordSealed(p.keys.seal(PhonePasswordOf(wish.Number), []byte(password))).Save(ctx)
	case err == nil && phone.AccountID != p.account.ID:
		return conflict("number", ReasonNone, "the telephone %s belongs to another account", wish.Number)
	}
	if err != nil {
		return fmt.Errorf("store a telephone: %w", err)
	}
	password, err := p.keys.open(PhonePasswordOf(phone.Number), phone.PasswordSealed)
	if err != nil {
		return err
	}
	p.out.SipNumbers = append(p.out.SipNumbers, ProvisionedSipNumber{Number: phone.Number, Password: string(password)})
	if wish.Rings == nil {
		return nil
	}
	_, err = putRings(ctx, p.change, phone.ID, wish.Rings)
	return err
}

// What is sealed names whose it is: see keyring.seal.
func authTokenOf(account uuid.UUID) string { return "authtoken:" + account.String() }

// SecretKeyOf names the secret key of an application for Seal and Open.
func SecretKeyOf(appID string) string { return "secretkey:" + appID }

// hex32 is a credential in the style of the family of APIs that it is for: 32 hexadecimal digits, all of them random.
func hex32() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}
