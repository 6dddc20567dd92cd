package comms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"switchboard/ent/account"
	"switchboard/ent/number"
)

// canonicalProvision checks what can be checked without the store, and brings emails and numbers into the form in which they are stored.
func canonicalProvision(in Provision) (Provision, error) {
	out := Provision{Accounts: make([]ProvisionAccount, len(in.Accounts))}
	seen := named{}
	var err error
	if out.Trunks, err = eachAt("trunks", in.Trunks, func(t *ProvisionTrunk) (err error) {
		if t.TrunkWish, err = canonicalTrunk(t.Name, t.TrunkWish); err != nil {
			return err
		}
		return seen.more("name", "trunk", t.Name)
	}); err != nil {
		return out, err
	}
	for i, a := range in.Accounts {
		err := a.canonical(seen)
		if err != nil {
			return out, within(fmt.Sprintf("accounts[%d]", i), err)
		}
		out.Accounts[i] = a
	}
	return out, nil
}

// named knows what was named before.
type named map[string]bool

func (o named) more(field, kind, name string) error {
	if o[kind+"\x00"+name] {
		return conflict(field, ReasonNone, "%s is named twice", name)
	}
	o[kind+"\x00"+name] = true
	return nil
}

func (a *ProvisionAccount) canonical(seen named) (err error) {
	if a.Email, err = canonicalEmail(a.Email); err != nil {
		return err
	}
	if err := seen.more("email", "email", a.Email); err != nil {
		return err
	}
	if a.Plan != "" && account.PlanValidator(account.Plan(a.Plan)) != nil {
		return invalid("plan", "plan must be free or business")
	}
	if a.Numbers, err = a.canonicalNumbers(seen); err != nil {
		return err
	}
	if a.Applications, err = a.canonicalApplications(seen); err != nil {
		return err
	}
	if a.Groups, err = a.canonicalGroups(seen); err != nil {
		return err
	}
	a.SipNumbers, err = a.canonicalPhones(seen)
	return err
}

func (a *ProvisionAccount) canonicalNumbers(seen named) ([]ProvisionNumber, error) {
	return eachAt("numbers", a.Numbers, func(n *ProvisionNumber) (err error) {
		if n.Number, err = canonical("number", n.Number); err != nil {
			return err
		}
		if err := seen.more("number", "number", n.Number); err != nil {
			return err
		}
		if n.Alias != nil {
			if err := checkAlias(*n.Alias); err != nil {
				return err
			}
		}
		switch {
		case n.Ability != "" && number.AbilityValidator(number.Ability(n.Ability)) != nil:
			return invalid("ability", "ability must be display, service or both")
		case n.Source != "" && number.SourceValidator(number.Source(n.Source)) != nil:
			return invalid("source", "source must be trunk or virtual")
		case n.Concurrency != nil && (*n.Concurrency < 1 || *n.Concurrency > 10_000):
			return invalid("concurrency", "concurrency must be 1 to 10000 calls")
		case n.Line != nil && !isWord(*n.Line):
			return invalid("line", "line must have at most 64 characters, and no control characters")
		case n.AreaCode != nil && !isDigits(*n.AreaCode, 0, 8):
			return invalid("areaCode", "areaCode must be at most 8 digits")
		}
		return nil
	})
}

func (a *ProvisionAccount) canonicalApplications(seen named) ([]ProvisionApplication, error) {
	return eachAt("applications", a.Applications, func(p *ProvisionApplication) (err error) {
		if p.Name == "" || !isWord(p.Name) {
			return invalid("name", "the name must have 1 to 64 characters, and no control characters")
		}
		if err := seen.more("name", "application of "+a.Email, p.Name); err != nil {
			return err
		}
		p.Pool, err = canonicalList("pool", p.Pool)
		return err
	})
}

func (a *ProvisionAccount) canonicalGroups(seen named) ([]ProvisionGroup, error) {
	return eachAt("groups", a.Groups, func(g *ProvisionGroup) (err error) {
		if g.Name == "" || !isWord(g.Name) {
			return invalid("name", "the name must have 1 to 64 characters, and no control characters")
		}
		if err := seen.more("name", "group of "+a.Email, g.Name); err != nil {
			return err
		}
		g.Numbers, err = canonicalList("numbers", g.Numbers)
		return err
	})
}

func (a *ProvisionAccount) canonicalPhones(seen named) ([]ProvisionSipNumber, error) {
	return eachAt("sipNumbers", a.SipNumbers, func(p *ProvisionSipNumber) (err error) {
		if err := CheckSipNumber("number", p.Number); err != nil {
			return err
		}
		if err := seen.more("number", "phone", p.Number); err != nil {
			return err
		}
		if p.Password != "" {
			if err := CheckSipPassword("password", p.Password); err != nil {
				return err
			}
		}
		p.Rings, err = CanonicalRings(p.Rings)
		return err
	})
}

// canonicalList brings a list of numbers into the form in which they are stored.
func canonicalList(field string, list []string) ([]string, error) {
	if list == nil {
		return nil, nil
	}
	out, seen := make([]string, len(list)), named{}
	for i, text := range list {
		place := field + "[" + strconv.Itoa(i) + "]"
		n, err := canonical(place, text)
		if err != nil {
			return nil, err
		}
		if err := seen.more(place, "number", n); err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// eachAt is the list with each item changed, or an error that says in which it arose.
func eachAt[T any](field string, list []T, change func(*T) error) ([]T, error) {
	out := slices.Clone(list)
	for i := range out {
		if err := change(&out[i]); err != nil {
			return nil, within(fmt.Sprintf("%s[%d]", field, i), err)
		}
	}
	return out, nil
}

// isWord tells whether a name is as an alias may be.
func isWord(s string) bool { return checkAlias(s) == nil }

func isDigits(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}
