package moor

import (
	"context"

	"switchboard/comms"
	"switchboard/comms/pool"
)

// lists are the three kinds of number.
type lists struct {
	Display []number    `json:"displayNumberList"`
	Service []number    `json:"serviceNumberList"`
	SIP     []sipNumber `json:"sipNumberList"`
}

// number is one that is shown or called. Its members' order and types are those of the document's sample, which its table contradicts.
type number struct {
	ID          string  `json:"_id"`
	Version     int     `json:"__v"`
	Number      string  `json:"number"`
	CallAbility int     `json:"callAbility"`
	Line        string  `json:"line"`
	Account     string  `json:"account"`
	Status      string  `json:"status"`
	Source      string  `json:"resourceType"`
	Concurrency int     `json:"concurrency"`
	CreateTime  string  `json:"createTime"`
	UpdateTime  string  `json:"updateTime"`
	CreateUser  string  `json:"createUser"`
	UpdateUser  string  `json:"updateUser"`
	IVR         string  `json:"ivrId"`
	Name        string  `json:"name,omitempty"`
	Groups      []group `json:"group,omitempty"`
}

// sipNumber is a telephone, with the state of its registration.
type sipNumber struct {
	ID             string   `json:"_id"`
	BusyCode       string   `json:"busyReplayCode"`
	ClientURL      string   `json:"clientUrl"`
	ServerURL      string   `json:"serverUrl"`
	Status         int      `json:"status"`
	Deleted        int      `json:"isDel"`
	RegisterDevice string   `json:"registerDevice"`
	RegisterTime   string   `json:"registerTime"`
	UID            string   `json:"uid"`
	RegisterStatus int      `json:"registerStatus"`
	Codecs         []string `json:"codingFormat"`
	Number         string   `json:"number"`
	Password       string   `json:"password"`
	NAT            bool     `json:"isNAT"`
	Account        string   `json:"account"`
	CreateTime     string   `json:"createTime"`
	UpdateTime     string   `json:"updateTime"`
	CreateUser     string   `json:"createUser"`
	UpdateUser     string   `json:"updateUser"`
	Version        int      `json:"__v"`
	WebRTC         bool     `json:"isWebRtc"`
}

// What nobody here has of its own: one name for all who make and change things, and the answer of a busy telephone (documented default).
const (
	system   = "system"
	busyHere = "486"
)

// codecs are those that every telephone is offered.
var codecs = []string{"G711A", "G711U"}

// abilities are the words for what a number can do (documented). A number is on each list whose bit it has.
var abilities = map[string]int{"service": serviceBit, "display": displayBit, "both": serviceBit | displayBit}

const (
	serviceBit = 1
	displayBit = 2
)

// sources are the words for where a number comes from (documented: a landline's, or a virtual number).
var sources = map[string]string{"trunk": "trunkNumber", "virtual": "xNumber"}

// numbers lists the account's numbers and telephones.
func (d *door) numbers(ctx context.Context, q *request) (any, error) {
	p, err := d.Pools.Pool(ctx)
	if err != nil {
		return nil, err
	}
	out := lists{Display: []number{}, Service: []number{}, SIP: make([]sipNumber, len(p.Phones))}
	for _, n := range p.Numbers {
		row := numberOf(n, q.app.AppKey)
		if row.CallAbility&displayBit != 0 {
			out.Display = append(out.Display, row)
		}
		if row.CallAbility&serviceBit != 0 {
			out.Service = append(out.Service, row)
		}
	}
	for i, phone := range p.Phones {
		out.SIP[i] = sipNumberOf(phone, q.app.AppKey)
		out.SIP[i].ServerURL = d.SIP(q.host(), phone.Secure)
	}
	return out, nil
}

func numberOf(n *comms.Number, account string) number {
	row := number{ID: n.Number, Number: n.Number, CallAbility: abilities[string(n.Ability)], Line: n.Line, Account: account, Status: "enable",
		Source: sources[string(n.Source)], Concurrency: n.Concurrency, CreateTime: timeOf(n.CreatedAt), UpdateTime: timeOf(n.UpdatedAt),
		CreateUser: system, UpdateUser: system, Name: n.Alias, Groups: groupsOf(n.Edges.Groups)}
	if n.Disabled {
		row.Status = "disable"
	}
	return row
}

func sipNumberOf(p *pool.Phone, account string) sipNumber {
	id := p.ID.String()
	row := sipNumber{ID: id, UID: id, BusyCode: busyHere, Status: 1, Codecs: codecs, Number: p.Number, Password: p.Password, Account: account,
		CreateTime: timeOf(p.CreatedAt), UpdateTime: timeOf(p.UpdatedAt), CreateUser: system, UpdateUser: system}
	if p.RegisteredAt != nil {
		row.RegisterTime = timeOf(*p.RegisteredAt)
	}
	if r := p.Registered; r != nil {
		row.RegisterStatus, row.RegisterDevice, row.ClientURL, row.NAT, row.WebRTC = 1, r.Device, r.At, r.NAT, r.WebRTC
	}
	return row
}
