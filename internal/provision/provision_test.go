package provision_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"switchboard/comms"
	"switchboard/docs"
	"switchboard/ent/application"
	"switchboard/ent/number"
	"switchboard/ent/numbergroup"
	"switchboard/ent/ring"
	"switchboard/internal/content"
	"switchboard/internal/db"
	"switchboard/internal/house"
	"switchboard/internal/provision"
)

type world struct {
	*testing.T
	svc   *comms.Service
	store *db.Store
}

func onBoth(t *testing.T, test func(w world)) {
	house.Stores(t, func(t *testing.T, open func(t *testing.T) *db.Store) {
		store := open(t)
		test(world{t, service(t, store), store})
	})
}

func service(t *testing.T, store *db.Store) *comms.Service {
	contents, err := content.Open(content.Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := comms.New(comms.Options{Store: store, Contents: contents, Secret: bytes.Repeat([]byte{7}, 32), Node: "test", HashCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func (w world) load(text string) (*comms.Provisioned, error) {
	w.Helper()
	f, err := provision.Read([]byte(text))
	if err != nil {
		return nil, err
	}
	p, err := w.svc.Provision(w.Context(), f.Wish)
	return p, f.Explain(err)
}

func (w world) mustLoad(text string) *comms.Provisioned {
	w.Helper()
	p, err := w.load(text)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func example(t *testing.T) string {
	t.Helper()
	b, err := docs.Files.ReadFile("provision.example.yml")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// census counts the rows of each kind.
func (w world) census() string {
	w.Helper()
	c := w.store.Read()
	var out []string
	for name, count := range map[string]func(context.Context) (int, error){
		"accounts": c.Account.Query().Count, "applications": c.Application.Query().Count, "numbers": c.Number.Query().Count,
		"groups": c.NumberGroup.Query().Count, "phones": c.SipNumber.Query().Count, "rings": c.Ring.Query().Count, "events": c.Event.Query().Count,
		"in a group": c.Number.Query().Where(number.HasGroups()).Count, "in a pool": c.Number.Query().Where(number.HasApplications()).Count,
	} {
		n, err := count(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func printed(t *testing.T, p *comms.Provisioned) string {
	t.Helper()
	var out bytes.Buffer
	if err := provision.JSON(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTheExampleLoadsAgainAndAgain(t *testing.T) {
	onBoth(t, func(w world) {
		first := w.mustLoad(example(w.T))
		// Six numbers, and the plan of one account.
		const there = "accounts 3, applications 3, events 8, groups 1, in a group 2, in a pool 6, numbers 6, phones 5, rings 4"
		if got := w.census(); got != there {
			w.Errorf("there is %s", got)
		}
		// Another process, with the same key: nothing new, and the same credentials.
		w.svc = service(w.T, w.store)
		again := w.mustLoad(example(w.T))
		if a, b := printed(w.T, first), printed(w.T, again); a != b {
			w.Errorf("at first\n%s\nand then\n%s", a, b)
		}
		if got := w.census(); got != there {
			w.Errorf("after the second time there is %s", got)
		}
		in, err := w.svc.Login(w.Context(), "rides@example.com", "correct horse battery")
		if err != nil || in.ApiKey != first.Accounts[0].ApiKey || in.Account.Plan != "business" {
			w.Errorf("%+v, %v", in, err)
		}
		rings, err := w.store.Read().Ring.Query().Where(ring.Number("+8613800000001")).QueryPhone().Only(w.Context())
		if err != nil || rings.Number != "1001" {
			w.Errorf("an outside number rings %+v, %v", rings, err)
		}
		app, err := w.store.Read().Application.Query().Where(application.Name("rides")).Only(w.Context())
		if err != nil || !app.Record {
			w.Errorf("%+v, %v", app, err)
		}
		n, err := w.store.Read().Number.Query().Where(number.Number("+862151860001")).Only(w.Context())
		if err != nil || n.Alias != "Shanghai desk" || n.AreaCode != "021" || n.Ability != "service" || n.Source != "trunk" || n.PinHash != "" || n.Concurrency != 1 {
			w.Errorf("%+v, %v", n, err)
		}
	})
}

func TestWhatIsPrinted(t *testing.T) {
	onBoth(t, func(w world) {
		p := w.mustLoad(example(w.T))
		var out map[string]any
		if err := json.Unmarshal([]byte(printed(w.T, p)), &out); err != nil {
			w.Fatal(err)
		}
		rides := out["accounts"].([]any)[0].(map[string]any)
		app := rides["applications"].([]any)[0].(map[string]any)
		for _, key := range []string{"accountToken", "appId", "appKey", "secretKey"} {
			if v, _ := app[key].(string); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(v) {
				w.Errorf("%s is %q", key, v)
			}
		}
		if key, _ := rides["apiKey"].(string); !strings.HasPrefix(key, "occ_") || rides["email"] != "rides@example.com" || app["name"] != "rides" {
			w.Errorf("%v", rides)
		}
		n := rides["numbers"].([]any)[0].(map[string]any)
		if id, _ := n["id"].(string); n["number"] != "+8617118230000" || len(id) != 36 {
			w.Errorf("%v", n)
		}
		phones := rides["sipNumbers"].([]any)
		made, given := phones[0].(map[string]any), phones[1].(map[string]any)
		if pw, _ := made["password"].(string); len(pw) != 32 || given["number"] != "2001" || given["password"] != "pa55-word-2001" {
			w.Errorf("%v, %v", made, given)
		}
		other := out["accounts"].([]any)[2].(map[string]any)
		if list, ok := other["sipNumbers"].([]any); !ok || len(list) != 0 {
			w.Errorf("without telephones: %v", other)
		}
		var table bytes.Buffer
		if err := provision.Table(&table, p); err != nil {
			w.Fatal(err)
		}
		for _, want := range []string{"rides@example.com", app["secretKey"].(string), "pa55-word-2001", n["id"].(string)} {
			if !strings.Contains(table.String(), want) {
				w.Errorf("the table lacks %s", want)
			}
		}
	})
}

func TestWhatIsThereIsBroughtUpToDate(t *testing.T) {
	onBoth(t, func(w world) {
		const before = `
accounts:
  - email: a@example.com
    password: first password
    applications: [{name: app, record: true, pool: ["+4930000001", "+4930000002"]}]
    numbers: [{number: "+4930000001", alias: one}, {number: "+4930000002", alias: two, ability: display}]
    groups: [{name: both, numbers: ["+4930000001", "+4930000002"]}]
    sipNumbers: [{number: "1001", password: pa55-word-1, rings: ["+4930000001", "+4930000002"]}]`
		first := w.mustLoad(before)
		const after = `
accounts:
  - email: A@Example.com
    password: second password
    plan: business
    applications: [{name: app, record: false, pool: ["+49 30 000002", "+4930000003"]}]
    numbers: [{number: "004930000001", alias: uno}, {number: "+4930000003"}, {number: "+4930000002"}]
    groups: [{name: both, numbers: []}]
    sipNumbers: [{number: "1001", password: another-pass, rings: ["+4930000003", "+4930000002"]}]`
		second := w.mustLoad(after)
		if a, b := first.Accounts[0], second.Accounts[0]; a.ApiKey != b.ApiKey || !reflect.DeepEqual(a.Applications, b.Applications) ||
			!reflect.DeepEqual(a.SipNumbers, b.SipNumbers) || a.Numbers[0].ID != b.Numbers[0].ID {
			w.Errorf("credentials changed from %+v to %+v", a, b)
		}
		if _, err := w.svc.Login(w.Context(), "a@example.com", "first password"); err != nil {
			w.Errorf("the password changed: %v", err)
		}
		const there = "accounts 1, applications 1, events 7, groups 1, in a group 0, in a pool 2, numbers 3, phones 1, rings 2"
		if got := w.census(); got != there {
			w.Errorf("there is %s", got)
		}
		n := second.Accounts[0].Numbers
		if n[0].Alias != "uno" || n[2].Alias != "two" || n[2].Ability != "display" {
			w.Errorf("%+v, %+v", n[0], n[2])
		}
		pool, err := w.store.Read().Application.Query().QueryPool().Order(number.ByNumber()).Select(number.FieldNumber).Strings(w.Context())
		if err != nil || fmt.Sprint(pool) != "[+4930000002 +4930000003]" {
			w.Errorf("the pool is %v, %v", pool, err)
		}
		// What the file does not mention stays.
		w.mustLoad("accounts: [{email: a@example.com, applications: [{name: app}], groups: [{name: both}], sipNumbers: [{number: '1001'}], numbers: [{number: '+4930000001'}]}]")
		if got := w.census(); got != there {
			w.Errorf("after a file that says little there is %s", got)
		}
	})
}

func TestMoreThanFiveNumbers(t *testing.T) {
	onBoth(t, func(w world) {
		var text strings.Builder
		text.WriteString("accounts:\n- email: a@example.com\n  password: a password\n  numbers:\n")
		for i := range 12 {
			fmt.Fprintf(&text, "  - {number: '+49301234%02d'}\n", i)
		}
		if p := w.mustLoad(text.String()); len(p.Accounts[0].Numbers) != 12 || p.Accounts[0].Numbers[0].Source != "virtual" {
			w.Errorf("%+v", p.Accounts[0])
		}
	})
}

func TestAllOrNothingAndWhere(t *testing.T) {
	const mine = "accounts:\n- email: me@example.com\n  password: my password\n"
	cases := map[string]string{
		"accounts: []": "names no accounts",
		"":             "names no accounts",
		"accounts: [{email: me@example.com}]\n---\naccounts: []": "more than one",
		"account: []":          `unknown field "account"`,
		mine + "  colour: red": `[4:3] unknown field "colour"`,
		mine + "  numbers:\n  - {number: '+4930000009', x: 1}":                      `unknown field "x"`,
		mine + "  groups:\n  - {name: a, name: b}":                                  `"name" already defined`,
		mine + "  plan: golden":                                                     "line 4, accounts[0].plan: plan must be",
		"accounts:\n- email: me\n  password: my password":                           "line 2, accounts[0].email: email is not",
		"accounts:\n- email: me@example.com":                                        "line 2, accounts[0].password: the password must",
		mine + "- email: ME@example.com":                                            "line 4, accounts[1].email: me@example.com is named twice",
		mine + "  numbers:\n  - number: '12'":                                       "line 5, accounts[0].numbers[0].number: number is not a phone number",
		mine + "  numbers:\n  - {number: '+4930000009'}\n  - {ability: both}":       "line 6, accounts[0].numbers[1].number: number is not",
		mine + "  numbers:\n  - number: '+4930000009'\n    ability: fly":            "line 6, accounts[0].numbers[0].ability",
		mine + "  numbers:\n  - number: '+4930000009'\n    source: sky":             "line 6, accounts[0].numbers[0].source",
		mine + "  numbers:\n  - number: '+4930000009'\n    concurrency: 0":          "line 6, accounts[0].numbers[0].concurrency",
		mine + "  numbers:\n  - number: '+4930000009'\n    areaCode: abc":           "line 6, accounts[0].numbers[0].areaCode",
		mine + "  numbers:\n  - number: '+4930000009'\n  - number: '+49 30 000009'": "line 6, accounts[0].numbers[1].number: +4930000009 is named twice",
		mine + "  numbers:\n  - number: '+4930000001'":                              "line 5, accounts[0].numbers[0].number: +4930000001 belongs to another account",
		mine + "  applications:\n  - name: a\n    pool:\n    - '+4930000001'":       "line 7, accounts[0].applications[0].pool[0]: +4930000001 is not a number of this account",
		mine + "  applications:\n  - name: ''":                                      "line 5, accounts[0].applications[0].name",
		mine + "  applications: [{name: a}, {name: a}]":                             "accounts[0].applications[1].name: a is named twice",
		mine + "  groups:\n  - {name: a, numbers: ['+4930000009']}":                 "line 5, accounts[0].groups[0].numbers[0]: +4930000009 is not a number of this",
		mine + "  sipNumbers:\n  - number: bob":                                     "line 5, accounts[0].sipNumbers[0].number",
		mine + "  sipNumbers:\n  - {number: '1001', password: short}":               "line 5, accounts[0].sipNumbers[0].password",
		mine + "  sipNumbers:\n  - {number: '1000'}":                                "line 5, accounts[0].sipNumbers[0].number: the telephone 1000 belongs to another account",
		mine + "  sipNumbers:\n  - {number: '1001', rings: [x]}":                    "line 5, accounts[0].sipNumbers[0].rings[0]",
		mine + "  numbers: {number: '+4930000009'}":                                 "[4:12]",
		mine + "  numbers: [":                                                       "[4:12]",
	}
	onBoth(t, func(w world) {
		w.mustLoad("accounts: [{email: other@example.com, password: my password, numbers: [{number: '+4930000001'}], sipNumbers: [{number: '1000'}]}]")
		before := w.census()
		for text, want := range cases {
			_, err := w.load(text)
			if err == nil || !strings.Contains(err.Error(), want) {
				w.Errorf("%s\n%v\ninstead of %s", text, err, want)
			}
		}
		if after := w.census(); after != before {
			w.Errorf("there was %s and is %s", before, after)
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	onBoth(t, func(w world) {
		var all sync.WaitGroup
		var outs [4]string
		for i := range outs {
			all.Go(func() {
				p, err := w.load(example(w.T))
				if err != nil {
					w.Error(err)
					return
				}
				outs[i] = printed(w.T, p)
			})
		}
		all.Wait()
		for _, out := range outs {
			if out != outs[0] {
				w.Errorf("one got\n%s\nanother\n%s", outs[0], out)
			}
		}
	})
}

// A second process on the same file, as `switchboard provision` is beside a server, while that server writes.
func TestBesideAServer(t *testing.T) {
	data := t.TempDir()
	open := func() *db.Store {
		s, err := db.Open(t.Context(), db.Options{Data: data})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	one, two := open(), open()
	server, command := service(t, one), world{t, service(t, two), two}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 10 {
				if _, err := server.Register(t.Context(), comms.Register{Email: fmt.Sprintf("u%d.%d@example.com", i, j), Password: "a password"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	p := command.mustLoad(example(t))
	all.Wait()
	if n, err := one.Read().NumberGroup.Query().Where(numbergroup.Name("Shanghai")).Count(t.Context()); n != 1 || err != nil {
		t.Errorf("the server sees %d groups, %v", n, err)
	}
	if a, err := server.Authenticate(t.Context(), comms.Presented{ApiKey: p.Accounts[0].ApiKey}); err != nil || a == nil {
		t.Errorf("the server refuses the key: %v", err)
	}
}

// What people are given to begin with is the file that every checkout of the project is measured by, and the trunks after it.
func TestTheExampleBeginsAsTheSharedOne(t *testing.T) {
	shared, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "provision.example.yml"))
	if errors.Is(err, os.ErrNotExist) {
		return // a checkout that lies alone
	}
	if err != nil || len(shared) == 0 || !strings.HasPrefix(example(t), string(shared)) {
		t.Errorf("docs/provision.example.yml does not begin as shared/provision.example.yml (%v)", err)
	}
	onBoth(t, func(w world) { w.mustLoad(string(shared)) })
}

func FuzzRead(f *testing.F) {
	b, err := docs.Files.ReadFile("provision.example.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add("accounts: [{email: &a x, password: *a}]")
	f.Add("accounts: [{email: {}, numbers: [null, [], 5]}]")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := provision.Read([]byte(text))
		if err == nil && len(file.Wish.Accounts) == 0 {
			t.Error("read no accounts")
		}
	})
}
