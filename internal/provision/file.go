package provision

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"switchboard/comms"
)

// File is a file that was read.
type File struct {
	Wish comms.Provision
	tree *ast.File
}

// The words of the file.
type document struct {
	Accounts []accountWords `yaml:"accounts"`
	Trunks   []trunkWords   `yaml:"trunks"`
}

type trunkWords struct {
	Name        string   `yaml:"name"`
	Address     *string  `yaml:"address"`
	Transport   *string  `yaml:"transport"`
	Username    *string  `yaml:"username"`
	Password    *string  `yaml:"password"`
	Register    *bool    `yaml:"register"`
	Prefixes    []string `yaml:"prefixes"`
	Sources     []string `yaml:"sources"`
	CallerID    *string  `yaml:"callerId"`
	FixedCaller *string  `yaml:"fixedCaller"`
	Concurrency *int     `yaml:"concurrency"`
	PerMinute   *int     `yaml:"perMinute"`
	Disabled    *bool    `yaml:"disabled"`
}

type accountWords struct {
	Email        string             `yaml:"email"`
	Password     string             `yaml:"password"`
	Plan         string             `yaml:"plan"`
	Applications []applicationWords `yaml:"applications"`
	Numbers      []numberWords      `yaml:"numbers"`
	Groups       []groupWords       `yaml:"groups"`
	SipNumbers   []sipNumberWords   `yaml:"sipNumbers"`
}

type applicationWords struct {
	Name   string   `yaml:"name"`
	Record *bool    `yaml:"record"`
	Pool   []string `yaml:"pool"`
}

type numberWords struct {
	Number      string  `yaml:"number"`
	Alias       *string `yaml:"alias"`
	Ability     string  `yaml:"ability"`
	Source      string  `yaml:"source"`
	Concurrency *int    `yaml:"concurrency"`
	Line        *string `yaml:"line"`
	AreaCode    *string `yaml:"areaCode"`
}

type groupWords struct {
	Name    string   `yaml:"name"`
	Numbers []string `yaml:"numbers"`
}

type sipNumberWords struct {
	Number   string   `yaml:"number"`
	Password string   `yaml:"password"`
	Rings    []string `yaml:"rings"`
}

// Read reads a file. A key that is not one of its words is an error, and so is one that stands twice.
func Read(content []byte) (*File, error) {
	tree, err := parser.ParseBytes(content, 0)
	if err != nil {
		return nil, fmt.Errorf("reading YAML: %w", err)
	}
	var doc document
	if len(tree.Docs) > 1 {
		return nil, errors.New("the file holds more than one YAML document")
	}
	if len(tree.Docs) == 1 && tree.Docs[0].Body != nil {
		if err := yaml.NodeToValue(tree.Docs[0].Body, &doc, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("reading YAML: %w", err)
		}
	}
	if len(doc.Accounts)+len(doc.Trunks) == 0 {
		return nil, errors.New("the file names no accounts and no trunks")
	}
	return &File{Wish: doc.wish(), tree: tree}, nil
}

func (d document) wish() comms.Provision {
	var out comms.Provision
	for _, t := range d.Trunks {
		out.Trunks = append(out.Trunks, comms.ProvisionTrunk{Name: t.Name, TrunkWish: comms.TrunkWish{Address: t.Address, Transport: t.Transport,
			Username: t.Username, Password: t.Password, Register: t.Register, Prefixes: t.Prefixes, Sources: t.Sources, CallerID: t.CallerID,
			FixedCaller: t.FixedCaller, Concurrency: t.Concurrency, PerMinute: t.PerMinute, Disabled: t.Disabled}})
	}
	for _, a := range d.Accounts {
		p := comms.ProvisionAccount{Email: a.Email, Password: a.Password, Plan: a.Plan}
		for _, w := range a.Applications {
			p.Applications = append(p.Applications, comms.ProvisionApplication(w))
		}
		for _, w := range a.Numbers {
			p.Numbers = append(p.Numbers, comms.ProvisionNumber(w))
		}
		for _, w := range a.Groups {
			p.Groups = append(p.Groups, comms.ProvisionGroup(w))
		}
		for _, w := range a.SipNumbers {
			p.SipNumbers = append(p.SipNumbers, comms.ProvisionSipNumber(w))
		}
		out.Accounts = append(out.Accounts, p)
	}
	return out
}

// Explain adds to a refusal where in the file its cause stands.
func (f *File) Explain(err error) error {
	var e *comms.Error
	if !errors.As(err, &e) || e.Field == "" {
		return err
	}
	for field := e.Field; field != ""; field = outer(field) {
		if line := f.line(field); line > 0 {
			return fmt.Errorf("line %d, %s: %w", line, e.Field, err)
		}
	}
	return fmt.Errorf("%s: %w", e.Field, err)
}

// line is where a field stands; zero where it does not stand in the file.
func (f *File) line(field string) int {
	path, err := yaml.PathString("$." + field)
	if err != nil {
		return 0
	}
	node, err := path.FilterFile(f.tree)
	if err != nil || node == nil {
		return 0
	}
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 { // its own token is that of the first colon, or brace
		node = m.Values[0].Key
	}
	return node.GetToken().Position.Line
}

// outer is the field that holds the field: what is missing stands nowhere, but what it is missing from does.
func outer(field string) string {
	for i := len(field) - 1; i > 0; i-- {
		if field[i] == '.' || field[i] == '[' {
			return field[:i]
		}
	}
	return ""
}
