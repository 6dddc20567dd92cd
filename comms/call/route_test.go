package call

import (
	"testing"
)

// What is dialled from where leads where: through the store, for the shapes of call that there are. decide_test.go has every rule.
func TestRouteCall(t *testing.T) {
	exchangesOnBoth(t, func(x *exchange) {
		for _, c := range []struct{ from, dialled, verdict, records string }{
			{"2000", "2001", `2001 as "+862151860000"`, `+862151860000 outgoing "2001" dialling`},
			{"2003", "2001", `2001 as "2003"`, `- outgoing "2001" dialling`},
			{"2000", desk, `2001,2002 as "+862151860000"`, `+862151860000 incoming "+862151860000" dialling`},
			{"2000", "2151860000", `2001,2002 as "+862151860000"`, `+862151860000 incoming "+862151860000" dialling`},
			{"3000", "021 5186 0000", `2000,2001,2002 as "+8657151860001"`,
				`+862151860000 incoming "+8657151860001" dialling; +8657151860001 outgoing "+862151860000" dialling`},
			{"2004", shop, `3000 as ""`, `+8657151860001 incoming "" dialling; - outgoing "+8657151860001" dialling`},
			{"2004", "2000", `2000 as "+8613800000001"`, `- outgoing "2000" dialling`},
			{"2000", "13800000001", `2004 as "+862151860000"`, `+862151860000 outgoing "+8613800000001" dialling`},
			{"3000", "13800000001", `trunk:+8613800000001 as "+8657151860001"`, `+8657151860001 outgoing "+8613800000001" dialling`},
			{"2004", "13900000009", `trunk:+8613900000009 as ""`, `- outgoing "+8613900000009" dialling`},
			{"2002", "+8613900000009", `trunk:+8613900000009 as "+8617118230000"`, `+8617118230000 outgoing "+8613900000009" dialling`},
			{"2000", "+999000000001", `world:+999000000001 as "+862151860000"`, `+862151860000 outgoing "+999000000001" dialling`},
			{"2000", "+12025550123", "refused not_allowed", `+862151860000 outgoing "+12025550123" queued`},
			{"2000", "110", "refused no_such", `+862151860000 outgoing "110" queued`},
			{"3000", quiet, "refused unreachable",
				`+8617118230003 incoming "+8657151860001" queued; +8657151860001 outgoing "+8617118230003" queued`},
			{"2000", shown, "refused not_allowed",
				`+8617118230002 incoming "+862151860000" queued; +862151860000 outgoing "+8617118230002" queued`},
			{outsider, desk, `2000,2001,2002 as "+8613900000009"`, `+862151860000 incoming "+8613900000009" dialling`},
			{"", "8657151860001", `3000 as ""`, `+8657151860001 incoming "" dialling`},
			{outsider, "+999000000001", "refused no_such", ""},
			{outsider, "2000", "refused no_such", ""},
			{outsider, "+8613900000008", "refused no_such", ""},
		} {
			v := x.route(c.from, c.dialled)
			if got := x.words(v); got != c.verdict {
				t.Errorf("%s dials %s: %s, want %s", c.from, c.dialled, got, c.verdict)
			}
			if got := x.records(v.Call); got != c.records {
				t.Errorf("%s dials %s is recorded as\n%s, want\n%s", c.from, c.dialled, got, c.records)
			}
			x.must(x.calls.CallEnded(t.Context(), v.Call, End{Why: WhyHungUp}))
		}
	})
}
