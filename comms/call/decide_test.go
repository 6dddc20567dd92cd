package call

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/ent/account"
	"switchboard/ent/call"
	"switchboard/ent/mask"
	"switchboard/ent/number"
	"switchboard/ent/trunk"
)

// The two accounts of decisions that are written by hand, and their numbers and telephones.
var (
	firmA, firmB      = named("a"), named("b")
	phoneA, phoneB    = phone{named("phone a"), firmA, "2000"}, phone{named("phone b"), firmB, "3000"}
	secondA           = phone{named("second phone a"), firmA, "2001"}
	maskOfX, maskOfX2 = named("mask"), named("other mask")
)

const (
	numberA = "+862151860000" // what A's telephone rings for
	numberX = "+8617118230000"
	numberY = "+8617118230001"
	party   = "+8613800000002"
	faraway = "+4930123456"
)

func named(what string) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte(what)) }

func aNumber(e164 string, owner uuid.UUID) *ourNumber {
	return &ourNumber{Number: &comms.Number{ID: named(e164), AccountID: owner, Number: e164, Ability: number.AbilityBoth, Concurrency: 1},
		Plan: account.PlanBusiness}
}

// aCall is A's telephone, which rings for a number of its own, calling B's number X, for which B's telephone rings.
func aCall(change ...func(f *facts)) *facts {
	l := newLoad()
	f := &facts{At: 1, Call: named("call"), Limits: Limits{}.withDefaults(), Load: &l, Dialled: readDialled(numberX, "86"),
		Caller:  caller{Account: firmA, Plan: account.PlanBusiness, Phone: phoneA.ID, Number: phoneA.Number, Rings: []string{numberA}},
		Numbers: map[string]*ourNumber{numberA: aNumber(numberA, firmA), numberX: aNumber(numberX, firmB)},
		Phones:  map[string][]phone{numberA: {phoneA, secondA}, numberX: {phoneB}},
		Blocked: map[block]bool{}, Mask: &maskHit{},
		Trunks: []*comms.Trunk{{ID: named("carrier"), Name: "carrier", Prefixes: []string{"49", "86"}, Concurrency: 5, PerMinute: 5, CallerID: trunk.CallerIDOwn}}}
	for _, c := range change {
		c(f)
	}
	return f
}

// dials has another number dialled than X.
func dials(text string) func(*facts) {
	return func(f *facts) { f.Dialled, f.Mask = readDialled(text, "86"), nil }
}

// fromOutside has a trunk bring the call.
func fromOutside(f *facts) { f.Caller = caller{Number: faraway} }

// hit has masks on X say that of the caller.
func hit(h maskHit) func(*facts) { return func(f *facts) { f.Mask = &h } }

// axb is a mask through which the caller reaches the party.
var axb = maskHit{Mask: &comms.Mask{ID: maskOfX, Kind: mask.KindAxb, First: faraway, Second: party, Record: true, UserData: "ride 7"}, Peer: party,
	ShownAs: numberX, Masked: true}

func ofKind(k mask.Kind) *comms.Mask { return &comms.Mask{ID: maskOfX2, Kind: k, First: party} }

// told are a decision's words: what it comes to, and the records.
func told(d *decision) string {
	v := d.Verdict
	var out []string
	switch {
	case v.Refuse != nil:
		out = append(out, "refused "+string(v.Refuse.Why))
	case v.Ask != nil:
		out = append(out, fmt.Sprint("asks ", v.Ask.Most))
	default:
		var targets []string
		for _, t := range v.Second.Targets {
			name := "carrier:" + t.Number
			for _, p := range []phone{phoneA, secondA, phoneB} {
				if t.Phone == p.ID {
					name = p.Number
				}
			}
			if t.World != "" {
				name = "world"
			}
			targets = append(targets, name)
		}
		out = append(out, strings.Join(targets, ",")+" sees "+v.Second.ShownAs)
	}
	for _, r := range d.Records {
		n := "-"
		for _, known := range []string{numberA, numberX, numberY, party} {
			if r.NumberID != nil && *r.NumberID == named(known) {
				n = known[len(known)-4:]
			}
		}
		out = append(out, fmt.Sprintf("%s %s %s>%s", n, r.Direction[:3], short(r.Peer), short(r.Second)))
	}
	return strings.Join(out, "; ")
}

func short(number string) string { return number[max(0, len(number)-4):] }

// decided is a line of the table of decisions.
type decided struct {
	name string
	f    *facts
	want string
}

func TestDecide(t *testing.T) {
	for _, c := range slices.Concat(plainly, masked) {
		if got := told(decide(c.f)); got != c.want {
			t.Errorf("%s: %s\n\twant %s", c.name, got, c.want)
		}
	}
}

// plainly are calls of which no mask says anything.
var plainly = []decided{
	{"a number of ours", aCall(), "3000 sees +862151860000; 0000 out 0000>; 0000 inc 0000>"},
	{"from outside", aCall(fromOutside), "3000 sees +4930123456; 0000 inc 3456>"},
	{"withheld", aCall(func(f *facts) { f.Caller = caller{} }), "3000 sees ; 0000 inc >"},
	{"switched off", aCall(func(f *facts) { f.Numbers[numberX].Disabled = true }), "refused disabled; 0000 out 0000>; 0000 inc 0000>"},
	{"switched off, and blocked", aCall(func(f *facts) {
		f.Numbers[numberX].Disabled, f.Blocked[block{firmB, numberA}] = true, true
	}), "refused disabled; 0000 out 0000>; 0000 inc 0000>"},
	{"blocked", aCall(func(f *facts) { f.Blocked[block{firmB, numberA}] = true }), "refused blocked; 0000 out 0000>; 0000 inc 0000>"},
	{"blocked by others", aCall(func(f *facts) { f.Blocked[block{firmA, numberA}] = true }), "3000 sees +862151860000; 0000 out 0000>; 0000 inc 0000>"},
	{"blocked from outside", aCall(fromOutside, func(f *facts) { f.Blocked[block{firmB, faraway}] = true }), "refused blocked; 0000 inc 3456>"},
	{"for display", aCall(func(f *facts) { f.Numbers[numberX].Ability = number.AbilityDisplay }), "refused not_allowed; 0000 out 0000>; 0000 inc 0000>"},
	{"busy", aCall(func(f *facts) { f.Load.numbers[named(numberX)] = 1 }), "refused busy; 0000 out 0000>; 0000 inc 0000>"},
	{"no telephone", aCall(func(f *facts) { f.Phones = nil }), "refused unreachable; 0000 out 0000>; 0000 inc 0000>"},
	{"another account's telephone", aCall(func(f *facts) { f.Phones[numberX] = []phone{phoneA} }), "refused unreachable; 0000 out 0000>; 0000 inc 0000>"},
	{"its own", aCall(dials(numberA), hit(maskHit{})), "2001 sees +862151860000; 0000 inc 0000>"},
	{"itself", aCall(dials(numberA), hit(maskHit{}), func(f *facts) { f.Phones[numberA] = []phone{phoneA} }), "refused busy; 0000 inc 0000>"},
	{"shown nothing that is for service", aCall(func(f *facts) { f.Numbers[numberA].Ability = number.AbilityService }),
		"3000 sees ; 0000 out 0000>; 0000 inc >"},
	{"a colleague", aCall(dials("2001"), func(f *facts) { f.Phones["2001"] = []phone{secondA} }), "2001 sees +862151860000; 0000 out 2001>"},
	{"a colleague, from what is for service", aCall(dials("2001"), func(f *facts) {
		f.Phones["2001"], f.Numbers[numberA].Ability = []phone{secondA}, number.AbilityService
	}), "2001 sees 2000; 0000 out 2001>"},
	{"a colleague, from no number", aCall(dials("2001"), func(f *facts) {
		f.Phones["2001"], f.Caller.Rings = []phone{secondA}, nil
	}), "2001 sees 2000; - out 2001>"},
	{"as an outside number, at home", aCall(dials(numberA), hit(maskHit{}), func(f *facts) { f.Caller.Rings = []string{party} }), "2001 sees +8613800000002; 0000 inc 0002>"},
	{"as an outside number, elsewhere", aCall(func(f *facts) { f.Caller.Rings = []string{party} }), "3000 sees ; 0000 inc >; - out 0000>"},
	{"as an outside number with one of ours behind it", aCall(func(f *facts) { f.Caller.Rings = []string{party, numberA} }),
		"3000 sees +862151860000; 0000 out 0000>; 0000 inc 0000>"},
	{"as a number of others", aCall(func(f *facts) { f.Caller.Rings = []string{numberY}; f.Numbers[numberY] = aNumber(numberY, firmB) }),
		"3000 sees ; 0000 inc >; - out 0000>"},
	{"for which a colleague stands", aCall(dials(party), func(f *facts) { f.Phones[party] = []phone{secondA} }), "2001 sees +862151860000; 0000 out 0002>"},
	{"for which a stranger stands", aCall(dials(party), func(f *facts) { f.Phones[party] = []phone{phoneB} }),
		"carrier:+8613800000002 sees +862151860000; 0000 out 0002>"},
	{"outside", aCall(dials("0049 30 123456")), "carrier:+4930123456 sees +862151860000; 0000 out 3456>"},
	{"outside, from no number", aCall(dials(faraway), func(f *facts) { f.Caller.Rings = nil }), "carrier:+4930123456 sees ; - out 3456>"},
	{"the test world", aCall(dials("999000000009")), "world sees +862151860000; 0000 out 0009>"},
	{"beside the test world", aCall(dials("+999000000010")), "refused no_such; 0000 out 0010>"},
	{"nothing", aCall(dials("alice")), "refused no_such; 0000 out >"},
	{"the police", aCall(dials("110")), "refused no_such; 0000 out 110>"},
	{"from outside to outside", aCall(fromOutside, dials(party)), "refused no_such"},
	{"from outside to a telephone", aCall(fromOutside, dials("2000"), func(f *facts) { f.Phones["2000"] = []phone{phoneA} }), "refused no_such"},
	{"from outside to the test world", aCall(fromOutside, dials("+999000000001")), "refused no_such"},
}

// masked are calls to a number that has masks, or had.
var masked = []decided{
	{"through a mask", aCall(fromOutside, hit(axb)), "carrier:+8613800000002 sees +8617118230000; 0000 inc 3456>0002"},
	{"through a mask, from another account", aCall(hit(axb)), "carrier:+8613800000002 sees +8617118230000; 0000 out 0000>; 0000 inc 0000>0002"},
	{"through a mask to a telephone", aCall(fromOutside, hit(axb), func(f *facts) { f.Phones[party] = []phone{phoneB} }),
		"3000 sees +8617118230000; 0000 inc 3456>0002"},
	{"through a mask past telephones of others", aCall(fromOutside, hit(axb), func(f *facts) { f.Phones[party] = []phone{phoneA} }),
		"carrier:+8613800000002 sees +8617118230000; 0000 inc 3456>0002"},
	{"through a mask to a number of ours", aCall(fromOutside, hit(axb), func(f *facts) {
		f.Numbers[party], f.Phones[party] = aNumber(party, firmA), []phone{phoneA}
	}), "2000 sees +8617118230000; 0000 inc 3456>0002; 0002 inc 0000>"},
	{"through a mask to a number of ours that is busy", aCall(fromOutside, hit(axb), func(f *facts) {
		f.Numbers[party], f.Phones[party], f.Load.numbers[named(party)] = aNumber(party, firmA), []phone{phoneA}, 1
	}), "refused busy; 0000 inc 3456>0002; 0002 inc 0000>"},
	{"through a mask to one who blocks what he would see", aCall(fromOutside, hit(axb), func(f *facts) {
		f.Numbers[party], f.Phones[party], f.Blocked[block{firmA, numberX}] = aNumber(party, firmA), []phone{phoneA}, true
	}), "refused blocked; 0000 inc 3456>0002; 0002 inc 0000>"},
	{"AXYB", aCall(fromOutside, hit(maskHit{Mask: ofKind(mask.KindAxyb), Peer: party, ShownAs: numberY, Masked: true})),
		"carrier:+8613800000002 sees +8617118230001; 0000 inc 3456>0002"},
	{"through a mask of a number for display", aCall(fromOutside, hit(axb), func(f *facts) { f.Numbers[numberX].Ability = number.AbilityDisplay }),
		"carrier:+8613800000002 sees +8617118230000; 0000 inc 3456>0002"},
	{"through a mask of a number for service", aCall(fromOutside, hit(axb), func(f *facts) { f.Numbers[numberX].Ability = number.AbilityService }),
		"carrier:+8613800000002 sees +8617118230000; 0000 inc 3456>0002"},
	{"against the mask's direction", aCall(fromOutside, hit(maskHit{Mask: axb.Mask, Peer: party, ShownAs: numberX, Against: true, Masked: true})),
		"refused direction; 0000 inc 3456>"},
	{"a mask that has ended", aCall(fromOutside, hit(maskHit{Ended: true, Masked: true})), "refused mask_expired; 0000 inc 3456>"},
	{"a mask that has ended, by one who is blocked", aCall(fromOutside, hit(maskHit{Ended: true, Masked: true}), func(f *facts) {
		f.Blocked[block{firmB, faraway}] = true
	}), "refused blocked; 0000 inc 3456>"},
	{"a stranger", aCall(fromOutside, hit(maskHit{Masked: true}), func(f *facts) { f.Phones = nil }), "refused stranger; 0000 inc 3456>"},
	{"a stranger to a number for display", aCall(fromOutside, hit(maskHit{Masked: true}), func(f *facts) {
		f.Phones, f.Numbers[numberX].Ability = nil, number.AbilityDisplay
	}), "refused stranger; 0000 inc 3456>"},
	{"a stranger where a telephone rings", aCall(fromOutside, hit(maskHit{Masked: true})), "3000 sees +4930123456; 0000 inc 3456>"},
	{"masked, and busy", aCall(fromOutside, hit(axb), func(f *facts) { f.Load.numbers[named(numberX)] = 1 }), "refused busy; 0000 inc 3456>"},
	{"a stranger while it is busy", aCall(fromOutside, hit(maskHit{Masked: true}), func(f *facts) {
		f.Phones, f.Load.numbers[named(numberX)] = nil, 1
	}), "refused stranger; 0000 inc 3456>"},

	{"AX, one whose mask ended lately", aCall(fromOutside, hit(maskHit{Ended: true, Rests: true, Anybody: ofKind(mask.KindAx), Masked: true})),
		"refused mask_expired; 0000 inc 3456>"},
	{"AX, one whose mask ended long ago", aCall(fromOutside, hit(maskHit{Ended: true, Anybody: ofKind(mask.KindAx), Masked: true})),
		"carrier:+8613800000002 sees +8617118230000; 0000 inc 3456>0002"},
	{"AXE, one whose mask ended lately", aCall(fromOutside, hit(maskHit{Ended: true, Rests: true, Dial: true, Masked: true})), "asks 8; 0000 inc 3456>"},
	{"AX, anybody", aCall(fromOutside, hit(maskHit{Anybody: ofKind(mask.KindAx), Masked: true})), "carrier:+8613800000002 sees +8617118230000; 0000 inc 3456>0002"},
	{"AX, its party", aCall(fromOutside, hit(maskHit{Mask: ofKind(mask.KindAx), Anybody: ofKind(mask.KindAx), Masked: true})), "asks 17; 0000 inc 3456>"},
	{"AX, its party, who says whom", aCall(fromOutside, dials(numberX+"*13800000002"), hit(maskHit{Mask: ofKind(mask.KindAx), Masked: true}), func(f *facts) {
		f.Beyond = readDialled("13800000002", "86")
	}), "carrier:+8613800000002 sees +8617118230000; 0000 inc 3456>0002"},
	{"AX, its party, who says nonsense", aCall(fromOutside, dials(numberX+"*12"), hit(maskHit{Mask: ofKind(mask.KindAx), Masked: true}), func(f *facts) {
		f.Beyond = readDialled("12", "86")
	}), "refused no_such; 0000 inc 3456>12"},
	{"AXE", aCall(fromOutside, hit(maskHit{Dial: true, Masked: true})), "asks 8; 0000 inc 3456>"},
	{"AXE, its party", aCall(fromOutside, hit(maskHit{Mask: ofKind(mask.KindAxe), Dial: true, Masked: true})), "asks 8; 0000 inc 3456>"},
	{"AXE with the extension", aCall(fromOutside, dials(numberX+"*12"), hit(maskHit{Dial: true, Masked: true}), func(f *facts) { f.Behind = ofKind(mask.KindAxe) }),
		"carrier:+8613800000002 sees +8617118230000; 0000 inc 3456>0002"},
	{"AXE with a wrong extension", aCall(fromOutside, dials(numberX+";postd=13"), hit(maskHit{Dial: true, Masked: true})), "refused no_such; 0000 inc 3456>"},
}

// What a masked call carries into its record.
func TestDecideMaskedRecord(t *testing.T) {
	d := decide(aCall(fromOutside, hit(axb)))
	r := d.Records[0]
	if r.ID != named("call") || r.ConversationID != r.ID || !r.Record || r.UserData != "ride 7" || *r.MaskID != maskOfX || r.AccountID != firmB {
		t.Errorf("%+v", r)
	}
	if fmt.Sprint(d.Payers) != fmt.Sprint([]uuid.UUID{firmB}) || d.Verdict.MaxDuration == 0 || d.Verdict.Second.RingFor == 0 {
		t.Errorf("%+v", d)
	}
}

func TestDecideTrunk(t *testing.T) {
	two := func(f *facts) {
		f.Trunks = append(f.Trunks, &comms.Trunk{ID: named("nearer"), Name: "nearer", Prefixes: []string{"4930"}, Concurrency: 1, PerMinute: 1,
			CallerID: trunk.CallerIDFixed, FixedCaller: "+4989"}, &comms.Trunk{ID: named("also"), Name: "also", Prefixes: []string{"49"}, Concurrency: 1,
			PerMinute: 1, CallerID: trunk.CallerIDWithheld})
	}
	for _, c := range []struct {
		name   string
		change func(f *facts)
		want   string
	}{
		{"the longest prefix", func(*facts) {}, "nearer +4989"},
		{"the next when that is full", func(f *facts) { f.Load.trunks[named("nearer")] = 1 }, "also "},
		{"then by name", func(f *facts) { f.Load.trunks[named("nearer")], f.Load.fresh[named("also")] = 1, times(1) }, "carrier +862151860000"},
		{"none left", func(f *facts) {
			f.Load.trunks[named("nearer")], f.Load.trunks[named("also")], f.Load.trunks[named("carrier")] = 1, 1, 5
		}, "too_many"},
		{"the number's line", func(f *facts) { f.Numbers[numberA].Line = "also" }, "also "},
		{"a line that does not lead there", func(f *facts) { f.Numbers[numberA].Line, f.Trunks[2].Prefixes = "also", []string{"86"} }, "not_allowed"},
		{"a line that is no trunk", func(f *facts) { f.Numbers[numberA].Line = "R00002" }, "nearer +4989"},
		{"no trunk", func(f *facts) { f.Trunks = nil }, "not_allowed"},
		{"a prefix that is allowed", func(f *facts) { f.Limits.Prefixes = []string{"1", "49"} }, "nearer +4989"},
		{"a prefix that is not", func(f *facts) { f.Limits.Prefixes = []string{"1", "86"} }, "not_allowed"},
	} {
		d := decide(aCall(dials(faraway), two, c.change))
		got := ""
		if r := d.Verdict.Refuse; r != nil {
			got = string(r.Why)
		} else {
			for _, name := range []string{"nearer", "also", "carrier"} {
				if d.Verdict.Second.Targets[0].Trunk == named(name) {
					got = name + " " + d.Verdict.Second.ShownAs
				}
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDecideLimits(t *testing.T) {
	free := func(f *facts) { f.Caller.Plan = account.PlanFree }
	for _, c := range []struct {
		name   string
		change func(f *facts)
		want   Why
	}{
		{"one less at once", func(f *facts) { f.Load.accounts[firmA] = 29 }, ""},
		{"at once", func(f *facts) { f.Load.accounts[firmA] = 30 }, WhyTooMany},
		{"free, one less", func(f *facts) { free(f); f.Load.accounts[firmA] = 9 }, ""},
		{"free", func(f *facts) { free(f); f.Load.accounts[firmA] = 10 }, WhyTooMany},
		{"a minute, one less", func(f *facts) { f.Load.fresh[firmA] = times(59) }, ""},
		{"a minute", func(f *facts) { f.Load.fresh[firmA] = times(60) }, WhyTooMany},
		{"who is called pays nothing", func(f *facts) { f.Load.accounts[firmB] = 99 }, ""},
		{"unless it has the call go out again", func(f *facts) { hit(axb)(f); f.Load.accounts[firmB] = 99 }, WhyTooMany},
		{"from outside nobody here pays", func(f *facts) { fromOutside(f); f.Load.accounts[uuid.Nil] = 99 }, ""},
	} {
		d := decide(aCall(c.change))
		got := Why("")
		if r := d.Verdict.Refuse; r != nil {
			got = r.Why
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Over every combination of what can hold of a call to X: the verdict is one thing, nobody sees or is recorded what he may not know.
func TestDecideEverything(t *testing.T) {
	callers := []func(*facts){func(*facts) {}, fromOutside, func(f *facts) { f.Caller = caller{} }, func(f *facts) { f.Caller.Rings = nil },
		func(f *facts) { f.Caller.Rings = []string{party} }, func(f *facts) { f.Caller.Rings = []string{party, numberA} },
		func(f *facts) { f.Caller.Account = firmB; f.Caller.Rings = []string{party} }, func(f *facts) { f.Caller = caller{Account: firmA, Rings: []string{numberA}} }}
	hits := []maskHit{{}, {Masked: true}, axb, {Ended: true, Masked: true}, {Mask: axb.Mask, Peer: party, ShownAs: numberX, Against: true, Masked: true},
		{Anybody: ofKind(mask.KindAx), Masked: true}, {Mask: ofKind(mask.KindAx), Masked: true}, {Dial: true, Masked: true}}
	states := []func(*facts){func(*facts) {}, func(f *facts) { f.Numbers[numberX].Disabled = true }, func(f *facts) { f.Load.numbers[named(numberX)] = 1 },
		func(f *facts) { f.Blocked[block{firmB, numberA}], f.Blocked[block{firmB, faraway}] = true, true },
		func(f *facts) { f.Load.accounts[firmA], f.Load.accounts[firmB] = 99, 99 }}
	abilities := []number.Ability{number.AbilityBoth, number.AbilityDisplay, number.AbilityService}
	phones := []func(*facts){func(*facts) {}, func(f *facts) { f.Phones = nil }, func(f *facts) { f.Phones[party] = []phone{phoneB} },
		func(f *facts) { f.Numbers[party], f.Phones[party] = aNumber(party, firmA), []phone{secondA} }}
	seen := map[string]int{}
	for i, who := range callers {
		for h := range hits {
			for s, state := range states {
				for _, able := range abilities {
					for p, ringing := range phones {
						f := aCall(who, hit(hits[h]), state, ringing, func(f *facts) { f.Numbers[numberX].Ability = able })
						d := decide(f)
						if bad := wrong(f, d); bad != "" {
							t.Errorf("caller %d, mask %d, state %d, %s, telephones %d: %s: %s", i, h, s, able, p, bad, told(d))
						}
						word, _, _ := strings.Cut(told(d), ";")
						seen[word]++
					}
				}
			}
		}
	}
	if len(seen) < 12 {
		t.Errorf("only %v", seen)
	}
}

// wrong says what may not be so of any decision.
func wrong(f *facts, d *decision) string {
	v := d.Verdict
	set := 0
	for _, is := range []bool{v.Refuse != nil, v.Ask != nil, v.Second != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return "not one verdict"
	}
	if f.Numbers[numberX].Disabled && (v.Refuse == nil || v.Refuse.Why != WhyDisabled) {
		return "a number that is switched off is reached"
	}
	if leg := v.Second; leg != nil {
		if len(leg.Targets) == 0 || leg.RingFor == 0 {
			return "nobody is called"
		}
		if slices.ContainsFunc(leg.Targets, func(t Target) bool { return t.Phone != uuid.Nil && t.Phone == f.Caller.Phone }) {
			return "the caller is called"
		}
		if masked := d.Records[len(d.Records)-1].MaskID != nil; masked && leg.ShownAs != numberX {
			return "a masked party sees " + leg.ShownAs
		}
		if leg.ShownAs == party && f.Caller.Account != firmB && f.Numbers[party] == nil {
			return "an account poses as an outside number"
		}
	}
	numbers := map[uuid.UUID]bool{}
	for i, r := range d.Records {
		if (i == 0) != (r.ID == f.Call) || r.ConversationID != f.Call {
			return "the records don't belong together"
		}
		if r.NumberID != nil && numbers[*r.NumberID] {
			return "two records of one number"
		}
		if r.NumberID != nil {
			numbers[*r.NumberID] = true
		}
		if r.AccountID == firmA && r.Direction == call.DirectionOutgoing && (r.Peer == party || r.Second == party || r.MaskID != nil) {
			return "the caller's account learns who is behind the mask"
		}
	}
	return ""
}
