package matrix

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"switchboard/comms/notice"
)

// Options say which bot it is. There is a password or a token.
type Options struct {
	Homeserver      string // its address
	User            string // @bot:example.org
	Password, Token string
	Kept            Keeper
	Timeout         time.Duration // of one request (20 s)
}

// Keeper keeps a secret from one start to the next, for all processes on one database (comms/notice).
type Keeper interface {
	// Secret is what is kept under the name; nil: nothing.
	Secret(ctx context.Context, name string) ([]byte, error)
	// KeepSecret puts a secret in the place of what it was, or answers what another process put there.
	KeepSecret(ctx context.Context, name string, was, is []byte) (kept []byte, err error)
}

// device is the name of the one device that the bot has, wherever it runs: transaction ids are a device's (Client-Server API, "Transaction
// identifiers"), so what two processes say under one id is said once.
const device = "SWITCHBOARD"

// mostAnswered bounds what is read of an answer.
const mostAnswered = 4 << 20

// Bot is the bot. It connects when there is something to say.
type Bot struct {
	o    Options
	http *http.Client

	mu     sync.Mutex
	client *mautrix.Client // nil: it did not log in yet
}

// New makes a bot; it speaks to nobody yet.
func New(o Options) *Bot {
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	return &Bot{o: o, http: &http.Client{Timeout: o.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a homeserver does not redirect, and the token is for it alone
	}}}
}

// server is the name of the homeserver, which is not its address: the part behind the bot's own name.
func (b *Bot) server() string {
	_, server, _ := strings.Cut(b.o.User, ":")
	return server
}

// secret is the name under which the bot's token is kept: one for each homeserver and user, so that other settings find none.
func (b *Bot) secret() string { return "matrix " + b.o.Homeserver + " " + b.o.User }

// as runs do as the bot. If the token is no longer good it logs in anew, once.
func (b *Bot) as(ctx context.Context, do func(c *mautrix.Client) error) error {
	c, err := b.logIn(ctx, nil)
	if err != nil {
		return err
	}
	if err = do(c); !loggedOut(err) {
		return err
	}
	if c, err = b.logIn(ctx, c); err != nil {
		return err
	}
	return do(c)
}

// logIn is a client with a token: the one at hand, unless that is the refused one.
func (b *Bot) logIn(ctx context.Context, refused *mautrix.Client) (*mautrix.Client, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.client != nil && b.client != refused {
		return b.client, nil
	}
	token := b.o.Token
	if token != "" && refused != nil {
		return nil, &notice.Failure{Problem: notice.LoggedOut, Service: true}
	}
	if token == "" {
		kept, err := b.o.Kept.Secret(ctx, b.secret())
		if err != nil {
			return nil, err
		}
		if token = string(kept); token == "" || refused != nil && token == refused.AccessToken {
			if token, err = b.newToken(ctx, kept); err != nil {
				return nil, err
			}
		}
	}
	c, err := b.dial(token)
	if err != nil {
		return nil, err
	}
	b.client = c
	return c, nil
}

// newToken logs in with the password and has the token kept.
func (b *Bot) newToken(ctx context.Context, was []byte) (string, error) {
	c, err := b.dial("")
	if err != nil {
		return "", err
	}
	got, err := c.Login(ctx, &mautrix.ReqLogin{Type: mautrix.AuthTypePassword, Password: b.o.Password, DeviceID: device,
		Identifier:               mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: b.o.User},
		InitialDeviceDisplayName: "Switchboard"})
	if err != nil {
		return "", loginFailure(ctx, err)
	}
	if got == nil || got.AccessToken == "" {
		return "", &notice.Failure{Problem: notice.Away, Service: true, Err: errNonsense}
	}
	kept, err := b.o.Kept.KeepSecret(ctx, b.secret(), was, []byte(got.AccessToken))
	return string(kept), err
}

// dial is a client for one token. Nothing is sent yet.
func (b *Bot) dial(token string) (*mautrix.Client, error) {
	u, err := url.Parse(b.o.Homeserver)
	if err != nil {
		return nil, &notice.Failure{Problem: notice.NotConfigured, Service: true, Err: err}
	}
	c, err := mautrix.NewClient(u.String(), id.UserID(b.o.User), token)
	if err != nil {
		return nil, &notice.Failure{Problem: notice.NotConfigured, Service: true, Err: err}
	}
	c.Client, c.IgnoreRateLimit, c.ResponseSizeLimit = b.http, true, mostAnswered // it is we who wait: see comms/notice
	c.UserAgent = "switchboard"
	return c, nil
}
