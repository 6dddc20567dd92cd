package model

import "switchboard/comms"

// ApiToken is a token with its scopes as a list of values.
type ApiToken struct{ *comms.ApiToken }

// Scopes are what it may do.
func (t *ApiToken) Scopes() []comms.Scope {
	out := make([]comms.Scope, 0, len(t.ApiToken.Scopes))
	for _, name := range t.ApiToken.Scopes {
		if s := comms.ScopeNamed(name); s != 0 {
			out = append(out, s)
		}
	}
	return out
}

// Session is a live socket, or one that was.
type Session struct{ *comms.Session }

// Active tells whether it is open.
func (s *Session) Active() bool { return s.ClosedAt == nil }
