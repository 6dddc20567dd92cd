package callrecords

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"switchboard/comms"
)

// authenticate is the context of whoever shows the credential that the endpoint takes, and no other: the JWT configures the account, the API
// token reads the records (documented); each in the place of the other is refused as if none were shown (contract: 401). OpenCloud's API key
// may do everything and is for neither: it is refused too (chosen), so that no CRM is ever given it.
func (d *door) authenticate(r *http.Request, takes needs) (context.Context, error) {
	scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		shown = ""
	}
	a, err := d.svc.Authenticate(r.Context(), comms.Presented{Bearer: strings.TrimSpace(shown)})
	if err != nil {
		return nil, err
	}
	if a == nil || kindOf(a) != takes&(session|token) {
		return nil, &refusal{http.StatusUnauthorized, wanted[takes&(session|token)]}
	}
	return comms.WithActor(r.Context(), a), nil
}

// wanted says what to show.
var wanted = map[needs]string{
	session: "Authorization: Bearer <accessToken of POST /auth/login> is required",
	token:   "Authorization: Bearer <value of POST /account/apitoken> is required",
}

// kindOf tells the credentials apart. A session ends and is no token; an API key never ends.
func kindOf(a *comms.Actor) needs {
	switch {
	case a.TokenID != uuid.Nil:
		return token
	case !a.ExpiresAt.IsZero():
		return session
	}
	return nobody
}
