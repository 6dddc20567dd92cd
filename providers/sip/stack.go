package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"

	"switchboard/comms"
	"switchboard/comms/call"
)

// Options are what a Server is built from. Zero values mean the defaults that are named.
type Options struct {
	Listen        string // host:port of UDP and TCP; default 127.0.0.1:5060; port 0: any free one, the same for both
	TLS           string // host:port of TLS; empty: none
	Certificate   string // file with the certificate chain for TLS; empty: one is made and kept in Data
	Key           string // file with its key
	Data          string // folder for what must survive a restart (the self-made certificate)
	PublicAddress string // host that peers elsewhere reach us by; empty: the address that the request leaves from
	Realm         string // of digest; default "switchboard"
	Secret        []byte // signs the nonces of digest, so that those of before a restart, or of another node, stay good; empty: random
	Node          string // this process among those on one database, as the rules name it; empty: it is alone

	Recordings     string        // folder in which recordings are written while they last
	MediaPorts     string        // "20000-29999"; empty or "0": any free
	SessionExpires time.Duration // RFC 4028; default 30 min
	RTPTimeout     time.Duration // a leg that sends nothing for so long is lost; default 60 s
	DrainTimeout   time.Duration // how long a stop waits for calls to end by themselves; default 30 s
	MaxCalls       int           // calls at once; default 2000
	Load           int           // calls that are being set up at once, before new ones are told to come again; default 400

	Throttle Throttle
	World    string // host:port (UDP) of the test world; empty: there is none
	Voice    Voice  // nil: nothing here can speak
	Log      *slog.Logger
}

// Voice turns text into sound (providers/voice).
type Voice interface {
	Speaks(lang string) bool
	Speak(ctx context.Context, text, lang string) ([]int16, error) // 8 kHz mono
}

// Rules are the verbs of comms/call that this room needs.
type Rules interface {
	router
	reporter
	archivist
	keeper
	contactReader
	contactWriter
	lineReader
}

// keeper knows the telephones.
type keeper interface {
	AuthenticatePhone(ctx context.Context, number string, proves func(password string) bool) (*comms.SipNumber, error)
	OnPhoneForgotten(fn func(phone uuid.UUID))
}

// contactReader and contactWriter keep where telephones are reached.
type contactReader interface {
	Contacts(ctx context.Context) ([]*comms.Contact, error)
}

type contactWriter interface {
	SaveContact(ctx context.Context, in call.SaveContact) error
	ForgetContacts(ctx context.Context, ids []uuid.UUID) error
}

// lineReader knows the trunks.
type lineReader interface {
	Trunks(ctx context.Context) ([]*call.TrunkLine, error)
	OnTrunksChanged(fn func())
}

// router says where a call goes.
type router interface {
	RouteCall(ctx context.Context, in call.RouteCall) (*call.Verdict, error)
	RouteDigits(ctx context.Context, id uuid.UUID, digits string) (*call.Verdict, error)
}

// reporter is told what became of a call.
type reporter interface {
	CallRinging(ctx context.Context, id uuid.UUID) error
	CallAnswered(ctx context.Context, id uuid.UUID) error
	CallEnded(ctx context.Context, id uuid.UUID, e call.End) error
	CallTransferred(ctx context.Context, id uuid.UUID, why call.Why) error
}

// archivist takes finished recordings.
type archivist interface {
	RecordingEnded(ctx context.Context, recording uuid.UUID, r call.Recorded) error
}

// Server is one SIP endpoint with everything behind it. Its methods are safe for concurrent use.
type Server struct {
	rules Rules
	opt   Options
	log   *slog.Logger

	ua      *sipgo.UserAgent
	clients map[string]*sipgo.Client // by transport, lower case
	ports   map[string]net.Addr      // what listens, by transport
	sockets sockets
	routes  routes // which of our addresses reaches whom

	gate      *gate      // what comes in, before it is parsed
	sources   *sources   // who sends how much
	invites   *invites   // new calls of the last 32 s
	load      *load      // how much there is to do
	doorman   *doorman   // passwords
	registrar *registrar // where telephones are
	trunks    *trunks    // lines to carriers

	life     context.Context // of everything in the background
	end      context.CancelFunc
	begun    chan struct{} // closed: we can send
	ready    func()        // closes it
	tasks    sync.WaitGroup
	draining atomic.Bool // no new calls
	stopping atomic.Bool // the sockets are about to close

	registering                  atomic.Int64 // REGISTERs in hand
	panics, registered, refusals atomic.Uint64

	*calls // dialog_*.go, call_*.go: what lives while there are calls
}

// address is where a request goes.
type address struct {
	transport string  // udp, tcp or tls
	at        string  // host:port; the source of a telephone's REGISTER, or a carrier's host
	uri       sip.Uri // the Request-URI
	secure    bool    // its media must be encrypted
}

// caller is who sent an INVITE, once that is proved.
type caller struct {
	phone *comms.SipNumber // a telephone, by digest
	trunk *trunkLine       // or a carrier, by its address
	from  string           // the caller as the carrier names it: the user part of P-Asserted-Identity or From; empty: withheld
	at    address          // where requests of this dialog go if the contact can't be reached: the source

	// decided is to be called when the call was routed and its first request was sent, or it was refused: until then it counts as work
	// in hand, by which overload is told. Calling it twice does nothing.
	decided func()
}

// request sends a request in a new transaction. What is missing of Via, From, To, Call-ID, CSeq and Max-Forwards is filled in. The
// transaction must be terminated by who asks.
func (s *Server) request(ctx context.Context, req *sip.Request, to address) (sip.ClientTransaction, error) {
	client, err := s.prepare(req, to)
	if err != nil {
		return nil, err
	}
	tx, err := client.TransactionRequest(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("send %s over %s: %w", req.Method, to.transport, err)
	}
	return tx, nil
}

// write sends a request that has no transaction: the ACK for a 2xx (RFC 3261 section 13.2.2.4).
func (s *Server) write(req *sip.Request, to address) error {
	client, err := s.prepare(req, to)
	if err != nil {
		return err
	}
	if err := client.WriteRequest(req); err != nil {
		return fmt.Errorf("send %s over %s: %w", req.Method, to.transport, err)
	}
	return nil
}

var errNoTransport = errors.New("this server does not listen on that transport")

// prepare points a request to its destination. The Via names our listener, so that a peer that opens a connection of its own finds it.
func (s *Server) prepare(req *sip.Request, to address) (*sipgo.Client, error) {
	client := s.clients[to.transport]
	if client == nil {
		return nil, fmt.Errorf("%s: %w", to.transport, errNoTransport)
	}
	req.SetTransport(strings.ToUpper(to.transport))
	req.SetDestination(to.at)
	if req.Via() == nil {
		host, port := s.localFor(to)
		via := &sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: req.Transport(), Host: host, Port: port}
		via.Params.Add("branch", sip.GenerateBranchN(16))
		via.Params.Add("rport", "") // RFC 3581
		req.PrependHeader(via)
	}
	return client, nil
}

// contact is the Contact header under which a peer reaches us.
func (s *Server) contact(user string, to address) *sip.ContactHeader {
	host, port := s.localFor(to)
	h := &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: user, Host: host, Port: port}}
	if to.transport != "udp" {
		h.Address.UriParams.Add("transport", to.transport)
	}
	return h
}

// localFor is the host and port under which a peer reaches us: Via and Contact name it.
func (s *Server) localFor(to address) (host string, port int) {
	listens := s.ports[to.transport]
	if listens == nil {
		return s.opt.PublicAddress, 0
	}
	at := addrPort(listens)
	return s.hostFor(at.Addr(), to.at), int(at.Port())
}
