package config

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// Line is a command line, with what the environment and the settings file add to it.
type Line struct {
	Settings
	Command string // one of Commands
	File    string // what to provision
	Source  string // what to import from: ovh or moor
	Account string // whose import; its email
	JSON    bool   // print JSON instead of a table
	AnySIP  bool   // nobody chose the address for SIP: where it is taken another will do
}

// Commands are what can be asked for, with what they say of themselves.
var Commands = [][2]string{
	{"serve", "run the server: what happens without a command"},
	{"provision", "FILE: load accounts, applications, numbers, groups and SIP numbers; - is the standard input"},
	{"import", "ovh or moor: fetch call records of linked OVH accounts, or a 7moor account's number pool"},
	{"migrate", "bring the database's schema up to date, and end"},
	{"config", "print the settings file with all defaults, which is its manual"},
	{"version", "print the version"},
}

// ErrHelp is Parse's answer when help was asked for, and printed.
var ErrHelp = errors.New("help was asked for")

const prefix = "SWITCHBOARD_"

// Parse reads the settings: a flag wins over the environment, that over the file, that over the default.
func Parse(args []string, out io.Writer) (*Line, error) {
	l := &Line{}
	flags, err := l.flags(out)
	if err != nil {
		return nil, err
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil, ErrHelp
		}
		return nil, fmt.Errorf("settings: %w", err)
	}
	if err := l.others(flags); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	if err := l.command(flags.Args()); err != nil {
		return nil, err
	}
	l.AnySIP = !flags.Changed("sip")
	l.derive()
	return l, nil
}

// flags describes the command line. Each setting has its default when it returns.
func (l *Line) flags(out io.Writer) (*pflag.FlagSet, error) {
	flags := pflag.NewFlagSet("switchboard", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetOutput(out)
	flags.Usage = func() { usage(out, flags) }
	flags.String("config", "", "settings `file`; the command config prints its manual")
	flags.BoolVar(&l.JSON, "json", false, "with provision and import moor: print JSON instead of a table")
	flags.StringVar(&l.Account, "account", "", "with import: the `email` of the account; ovh: empty for all")
	for _, s := range l.list() {
		v := &value{to: s.to}
		if s.def != "" {
			if err := v.Set(s.def); err != nil {
				return nil, fmt.Errorf("the default of %s: %w", s.name, err)
			}
		}
		f := flags.VarPF(v, s.name, "", s.help)
		if v.Type() == "bool" {
			f.NoOptDefVal = "true"
		}
	}
	return flags, nil
}

// variable is what a flag is called in the environment.
func variable(flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// othersVariables are parts of names that are not ours though they begin as ours do: Kubernetes tells every container where a service
// called switchboard or switchboard-web is, and the tests name their database.
var othersVariables = []string{"_SERVICE_HOST", "_PORT", "_TEST_"}

// unknownVariable refuses a misspelt setting in the environment, as in the file and on the command line.
func unknownVariable(flags *pflag.FlagSet) error {
	known := map[string]bool{}
	flags.VisitAll(func(f *pflag.Flag) { known[variable(f.Name)] = true })
	for _, line := range os.Environ() {
		name, _, _ := strings.Cut(line, "=")
		others := func(part string) bool { return strings.Contains(name, part) }
		if strings.HasPrefix(name, prefix) && !known[name] && !slices.ContainsFunc(othersVariables, others) {
			return fmt.Errorf("unknown setting %s in the environment", name)
		}
	}
	return nil
}

// others reads the environment and then the file, where a flag and then the environment did not say already.
func (l *Line) others(flags *pflag.FlagSet) error {
	wrong := unknownVariable(flags)
	flags.VisitAll(func(f *pflag.Flag) {
		name := variable(f.Name)
		if text, ok := os.LookupEnv(name); ok && !f.Changed && wrong == nil {
			if err := flags.Set(f.Name, text); err != nil {
				wrong = fmt.Errorf("%s in the environment: %w", name, err)
			}
		}
	})
	if wrong != nil {
		return wrong
	}
	if path := flags.Lookup("config").Value.String(); path != "" {
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading the file: %w", err)
		}
		if err := fromFile(content, l.list(), flags); err != nil {
			return fmt.Errorf("file %s: %w", path, err)
		}
	}
	return l.check()
}

func (l *Line) command(words []string) error {
	l.Command = "serve"
	if len(words) > 0 {
		l.Command, words = words[0], words[1:]
	}
	if !slices.ContainsFunc(Commands, func(c [2]string) bool { return c[0] == l.Command }) {
		return fmt.Errorf("there is no command %q: try --help", l.Command)
	}
	if l.Command == "provision" {
		if len(words) != 1 {
			return errors.New("provision needs one file")
		}
		l.File, words = words[0], nil
	}
	if l.Command == "import" {
		if len(words) != 1 || words[0] != "ovh" && words[0] != "moor" {
			return errors.New("import needs one source: ovh or moor")
		}
		l.Source, words = words[0], nil
		if l.Source == "moor" && l.Account == "" {
			return errors.New("import moor needs --account: whose numbers they become")
		}
	}
	if len(words) > 0 {
		return fmt.Errorf("%s takes no %q", l.Command, words[0])
	}
	return nil
}

func usage(out io.Writer, flags *pflag.FlagSet) {
	text := "switchboard: accounts, virtual numbers, messages and calls behind GraphQL and documented APIs.\n\nCommands:\n"
	for _, c := range Commands {
		text += fmt.Sprintf("  %-10s %s\n", c[0], c[1])
	}
	text += "\nSettings (each is also " + prefix + "<SETTING> in the environment and a line of the settings file; @/path instead of a value of\n" +
		"a secret reads it from that file):\n" + flags.FlagUsages()
	_, _ = io.WriteString(out, text) // nobody to tell
}

// value is a setting as pflag wants it.
type value struct {
	to   any
	text string
}

// Set implements pflag.Value.
func (v *value) Set(text string) (err error) {
	switch to := v.to.(type) {
	case *string:
		*to = text
	case *bool:
		if *to, err = strconv.ParseBool(text); err != nil {
			err = fmt.Errorf("%q is neither true nor false", text)
		}
	case encoding.TextUnmarshaler:
		err = to.UnmarshalText([]byte(text))
	default:
		err = fmt.Errorf("a setting can't be %T", to)
	}
	if err == nil {
		v.text = text
	}
	return err
}

// String implements pflag.Value: what help shows as the default.
func (v *value) String() string { return v.text }

// Type implements pflag.Value.
func (v *value) Type() string {
	if _, ok := v.to.(*bool); ok {
		return "bool"
	}
	return "string"
}
