package callrecords

import (
	"net/http"

	"switchboard/comms/carrier"
)

type linkBody struct {
	Goto string `json:"goto"`
}

// link asks OVH for the customer's consent; he gives it at the address that is answered, and OVH sends him back to /ovh/check/{id}.
func (d *door) link(r *http.Request, _ *object) (any, error) {
	base, err := d.base(r)
	if err != nil {
		return nil, err
	}
	linked, err := d.Carriers.LinkCarrier(r.Context(), carrier.LinkCarrier{Carrier: "ovh", Base: base})
	if err != nil {
		return nil, err
	}
	return linkBody{linked.Page}, nil
}

// check is where OVH sends the customer back. He is at a browser and has no credential but the id.
func (d *door) check(r *http.Request, _ *object) (any, error) {
	if _, err := d.Carriers.CheckCarrier(r.Context(), r.PathValue("id")); err != nil {
		return nil, err
	}
	return page{"Your OVH account is linked", "Its call records are being imported: you can close this page"}, nil
}
