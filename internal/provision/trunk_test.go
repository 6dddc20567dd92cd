package provision_test

import (
	"fmt"
	"strings"
	"testing"

	"switchboard/comms"
	"switchboard/ent/trunk"
)

func (w world) trunk(name string) *comms.Trunk {
	w.Helper()
	row, err := w.store.Read().Trunk.Query().Where(trunk.Name(name)).Only(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return row
}

func (w world) trunkPassword(name string) string {
	w.Helper()
	password, err := w.svc.Inside().TrunkPassword(w.trunk(name))
	if err != nil {
		w.Fatal(err)
	}
	return password
}

func TestTrunksOfTheExample(t *testing.T) {
	onBoth(t, func(w world) {
		w.mustLoad(example(w.T))
		row := w.trunk("R00002")
		got := fmt.Sprintln(row.Address, row.Transport, row.Username, row.Register, row.Prefixes, row.Sources, row.CallerID, row.Concurrency, row.PerMinute, row.Disabled)
		if got != "192.0.2.10:5060 udp switchboard true [852 86] [192.0.2.0/28] own 30 120 true\n" {
			w.Errorf("it is %s", got)
		}
		if w.trunkPassword("R00002") != "pa55-word-of-ours" {
			w.Error("its password is another")
		}
		sealed := string(row.PasswordSealed)
		w.mustLoad(example(w.T))
		if again := w.trunk("R00002"); again.ID != row.ID || string(again.PasswordSealed) != sealed {
			w.Error("loading the file again changed it")
		}
	})
}

func TestTrunksAreBroughtUpToDate(t *testing.T) {
	onBoth(t, func(w world) {
		w.mustLoad(`trunks: [{name: a, address: sip.example.com, username: u, password: secret, register: true, prefixes: ["+86", "1", "86"], sources: ["2001:db8::1"]}]`)
		row := w.trunk("a")
		if got := fmt.Sprintln(row.Prefixes, row.Sources, row.CallerID, row.Transport, row.Concurrency); got != "[1 86] [2001:db8::1/128] own udp 30\n" {
			w.Errorf("it is %s", got)
		}
		// What the file does not mention stays; an empty list is said, and means none.
		w.mustLoad(`trunks: [{name: a, address: "sip.example.com:5070", prefixes: [], callerId: fixed, fixedCaller: "+49 30 000001"}]`)
		row = w.trunk("a")
		got := fmt.Sprintln(row.Address, row.Prefixes, row.Sources, row.CallerID, row.FixedCaller, row.Register)
		if got != "sip.example.com:5070 [] [2001:db8::1/128] fixed +4930000001 true\n" {
			w.Errorf("it is %s", got)
		}
		if w.trunkPassword("a") != "secret" {
			w.Error("its password is another")
		}
		w.mustLoad(`trunks: [{name: a, password: ""}]`)
		if row = w.trunk("a"); row.PasswordSealed != nil {
			w.Error("its password was to be taken away")
		}
	})
}

func TestTrunksThatAreNone(t *testing.T) {
	const ok = "trunks:\n- name: a\n  address: h\n"
	cases := map[string]string{
		"trunks: [{address: h}]":                             "line 1, trunks[0].name: the name must",
		"trunks: [{name: a}]":                                "line 1, trunks[0].address: a trunk needs",
		"trunks: [{name: a, address: 'sip:h'}]":              "trunks[0].address: address must be",
		"trunks: [{name: a, address: 'h:0'}]":                "trunks[0].address: address must be",
		"trunks: [{name: a, address: 'a b'}]":                "trunks[0].address: address must be",
		"trunks: [{name: a, address: ''}]":                   "trunks[0].address: address must be",
		ok + "  transport: sctp":                             "line 4, trunks[0].transport",
		ok + "  register: true":                              "trunks[0].username: a trunk that wants REGISTER",
		ok + "  callerId: mine":                              "line 4, trunks[0].callerId",
		ok + "  callerId: fixed":                             "trunks[0].fixedCaller: which number",
		ok + "  fixedCaller: x":                              "line 4, trunks[0].fixedCaller",
		ok + "  prefixes: ['86', '0']":                       "line 4, trunks[0].prefixes[1]",
		ok + "  prefixes: ['']":                              "line 4, trunks[0].prefixes[0]",
		ok + "  sources: [example.com]":                      "line 4, trunks[0].sources[0]",
		ok + "  concurrency: 0":                              "line 4, trunks[0].concurrency",
		ok + "  perMinute: 0":                                "line 4, trunks[0].perMinute",
		ok + "  username: 'a b'":                             "line 4, trunks[0].username",
		ok + "  colour: red":                                 `unknown field "colour"`,
		ok + "- name: a\n  address: h":                       "line 4, trunks[1].name: a is named twice",
		ok + "accounts: [{email: me@example.com}]":           "accounts[0].password",
		"accounts: []\ntrunks: []":                           "names no accounts and no trunks",
		"trunks: [{name: a, address: '[2001:db8::1%eth0]'}]": "trunks[0].address",
	}
	onBoth(t, func(w world) {
		for text, want := range cases {
			if _, err := w.load(text); err == nil || !strings.Contains(err.Error(), want) {
				w.Errorf("%s\n%v\ninstead of %s", text, err, want)
			}
		}
		if n, err := w.store.Read().Trunk.Query().Count(w.Context()); n != 0 || err != nil {
			w.Errorf("%d trunks are there, %v", n, err)
		}
		for _, address := range []string{"h", "sip.example.com:5060", "192.0.2.1", "[2001:db8::1]:5061", "[2001:db8::1]", "a-b.c"} {
			w.mustLoad("trunks: [{name: '" + address + "', address: '" + address + "'}]")
		}
	})
}
