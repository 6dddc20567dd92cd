package ovh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"switchboard/comms/carrier"
)

// queues are what records calls: /telephony/{billingAccount}/easyHunting and ovhPabx.
var queues = []string{"easyHunting", "ovhPabx"}

const mostOfFile = 512 << 20

// queue is one with its recordings: .../{serviceName}/records.
type queue struct {
	s          *session
	name, path string
}

// Sounds implements carrier.Sounds.
func (q *queue) Sounds(ctx context.Context) ([]string, error) { return q.s.ids(ctx, q.path) }

// recording is telephony.OvhPabxRecord, which easyHunting's records are too, as far as it is read.
type recording struct {
	ID          json.Number `json:"id"`
	Caller      string      `json:"callerIdNumber"`
	Destination string      `json:"destinationNumber"`
	Called      string      `json:"calledNumber"`
	Agent       string      `json:"agent"`
	Start       string      `json:"callStart"`
	File        string      `json:"fileUrl"`
}

// Sound implements carrier.Sounds. The call of a recording is known by the number that was called or, where the queue put it through, by the
// agent's or the queue's own.
func (q *queue) Sound(ctx context.Context, id string) (*carrier.Sound, error) {
	var got recording
	if err := q.s.get(ctx, q.path+"/"+id, mostOfOne, &got); err != nil {
		return nil, err
	}
	if got.ID != "" && got.ID.String() != id {
		return nil, nonsense("another recording than the one that was asked for")
	}
	at, err := instant(got.Start)
	if err != nil {
		return nil, err
	}
	if !isWeb(got.File) {
		return nil, nonsense("a recording without a file")
	}
	return &carrier.Sound{Calling: got.Caller, Called: []string{got.Destination, got.Called, q.name, got.Agent}, StartedAt: at,
		Open: func(ctx context.Context) (io.ReadCloser, error) { return q.s.o.download(ctx, got.File) }}, nil
}

func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// download fetches a file from where OVH says that it lies. Nothing that identifies us or the customer goes there.
func (o *OVH) download(ctx context.Context, address string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nonsense("the address of a file is none")
	}
	req.Header.Set("User-Agent", "switchboard")
	resp, err := o.files.Do(req)
	if err != nil {
		return nil, troubleOf(err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("the file of a recording: %d", resp.StatusCode), resp.Body.Close())
	}
	if resp.ContentLength > mostOfFile {
		return nil, errors.Join(errors.New("the file of a recording is too large"), resp.Body.Close())
	}
	return resp.Body, nil
}

// fileClient fetches files. It goes to the open Internet alone, whatever address a file is said to have, so that nobody who can put an address
// into an answer reaches what stands beside this server; unless OVH itself stands there, as in a test.
func fileClient(timeout time.Duration, locally bool) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !locally && !isPublic(at.Addr().Unmap()) {
			return errors.New("the address of a file is not on the open Internet")
		}
		return nil
	}}
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: timeout,
			MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: 10 * time.Second, DisableCompression: true},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 3 || !isWeb(req.URL.String()) {
				return errors.New("the file of a recording is sent on and on")
			}
			req.Header.Del("Referer") // the address before may be a credential
			return nil
		},
	}
}

// shared are networks that are neither private nor public (RFC 6598, RFC 6890).
var shared = []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48")}

func isPublic(at netip.Addr) bool {
	for _, net := range shared {
		if net.Contains(at) {
			return false
		}
	}
	return at.IsGlobalUnicast() && !at.IsPrivate()
}

// local tells of a host that is this one, or in its own network.
func local(host string) bool {
	at, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && !isPublic(at.Unmap())
}
