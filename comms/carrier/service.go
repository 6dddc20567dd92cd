package carrier

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"switchboard/comms"
)

// Options are what a Service is built from. Zero means the default.
type Options struct {
	Carriers map[string]Carrier // by the words of ent/schema/carrier_link.go; one that is not here is not configured
	Every    time.Duration      // from one import to the next, where the account says nothing else (1 h)
	Lease    time.Duration      // how long the import of a process that died is nobody's business (20 s)
	AtOnce   int                // imports of this process at once (32)
}

// Service is the rules of carriers. Its methods are the verbs; all are safe for concurrent use.
type Service struct {
	in       comms.Inside
	records  Records
	carriers map[string]Carrier
	every    time.Duration
	lease    time.Duration
	atOnce   int
	worker   string        // names this process in leases, anew at each start: a start must not take its predecessor's lease for its own
	due      chan struct{} // holds something when an import may have become due
	checks   sync.Map      // ids of links that are being checked
}

// New builds the rules of carriers over those of everything else.
func New(svc *comms.Service, records Records, o Options) *Service {
	if o.Every == 0 {
		o.Every = time.Hour
	}
	if o.Lease == 0 {
		o.Lease = 20 * time.Second
	}
	if o.AtOnce == 0 {
		o.AtOnce = 32
	}
	in := svc.Inside()
	return &Service{in: in, records: records, carriers: o.Carriers, every: o.Every, lease: o.Lease, atOnce: o.AtOnce,
		worker: in.Node() + " " + rand.Text(), due: make(chan struct{}, 1)}
}

// hurry has Run look for what is due now.
func (s *Service) hurry() {
	select {
	case s.due <- struct{}{}:
	default: // it will
	}
}

// carrierNamed is the room that speaks that carrier's API.
func (s *Service) carrierNamed(field, name string) (Carrier, error) {
	c, ok := s.carriers[name]
	if ok {
		return c, nil
	}
	if name != "ovh" {
		return nil, comms.Refused(comms.Invalid, field, comms.ReasonNone, "there is no such carrier")
	}
	return nil, comms.Refused(comms.Unavailable, "", comms.ReasonNotConfigured, "this server has no application at "+name)
}

// sealedAs names a link's key for Seal and Open.
func sealedAs(link uuid.UUID) string { return "carrier:" + link.String() }

// checkHash is under what the id in the address is found to which the carrier sends the customer back.
func (s *Service) checkHash(id string) []byte { return s.in.Lookup("carrier.check", id) }

func notFound(field string) error {
	return comms.Refused(comms.NotFound, field, comms.ReasonNone, "there is no such link to a carrier")
}

// complain logs what went wrong where nobody waits for an answer.
func (s *Service) complain(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.in.Log().ErrorContext(ctx, fmt.Sprintf("carriers: %s", what), "error", err)
	}
}
