// Package ovh speaks the API of OVH for comms/carrier: it asks for a customer's consent, and reads his calls and recordings with it.
//
// Start reading at OVH (ovh.go); session.go is one signed request and what its answer means, lines.go and sounds.go are the documented models
// (https://eu.api.ovh.com/1.0/telephony.json). Requests are built and signed by OVH's own client, go-ovh; they are sent and read here, because
// that client knows neither bounds nor Retry-After, and what it makes of an error leaves the error's code out.
//
// What does not live here: when to import, what of it is stored, and what becomes of a failure (comms/carrier).
package ovh
