package provision

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"switchboard/comms"
)

// The words of the output; those of the head of docs/provision.example.yml.
type output struct {
	Accounts []accountOut `json:"accounts"`
}

type accountOut struct {
	Email        string           `json:"email"`
	ApiKey       string           `json:"apiKey"`
	Applications []applicationOut `json:"applications"`
	Numbers      []numberOut      `json:"numbers"`
	SipNumbers   []sipNumberOut   `json:"sipNumbers"`
}

type applicationOut struct {
	Name         string `json:"name"`
	AccountToken string `json:"accountToken"`
	AppID        string `json:"appId"`
	AppKey       string `json:"appKey"`
	SecretKey    string `json:"secretKey"`
}

type numberOut struct {
	Number string `json:"number"`
	ID     string `json:"id"`
}

type sipNumberOut struct {
	Number   string `json:"number"`
	Password string `json:"password"`
}

// JSON prints the credentials for programs.
func JSON(w io.Writer, p *comms.Provisioned) error {
	out := output{Accounts: []accountOut{}}
	for _, a := range p.Accounts {
		o := accountOut{Email: a.Email, ApiKey: a.ApiKey, Applications: []applicationOut{}, Numbers: []numberOut{}, SipNumbers: []sipNumberOut{}}
		for _, v := range a.Applications {
			o.Applications = append(o.Applications, applicationOut(v))
		}
		for _, v := range a.Numbers {
			o.Numbers = append(o.Numbers, numberOut{Number: v.Number, ID: v.ID.String()})
		}
		for _, v := range a.SipNumbers {
			o.SipNumbers = append(o.SipNumbers, sipNumberOut(v))
		}
		out.Accounts = append(out.Accounts, o)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

// Table prints the credentials for people.
func Table(w io.Writer, p *comms.Provisioned) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, c)
		}
		fmt.Fprintln(t)
	}
	for _, a := range p.Accounts {
		row(a.Email, "apiKey "+a.ApiKey)
		for _, v := range a.Applications {
			row("  application "+v.Name, "accountToken "+v.AccountToken)
			row("", "appId "+v.AppID)
			row("", "appKey "+v.AppKey)
			row("", "secretKey "+v.SecretKey)
		}
		for _, v := range a.Numbers {
			row("  number "+v.Number, "id "+v.ID.String())
		}
		for _, v := range a.SipNumbers {
			row("  telephone "+v.Number, "password "+v.Password)
		}
	}
	return t.Flush()
}
