package providers

import (
	"switchboard/comms/carrier"
	"switchboard/providers/ovh"
)

// Carriers are the rooms that read customers' calls at carriers, by the words of the rules. Where no application is set there is none.
func Carriers(o ovh.Options) (map[string]carrier.Carrier, error) {
	out := map[string]carrier.Carrier{}
	if o.Key == "" {
		return out, nil
	}
	at, err := ovh.New(o)
	if err != nil {
		return nil, err
	}
	out["ovh"] = at
	return out, nil
}
