package callrecords

import (
	"math"
	"net/http"
	"time"

	"switchboard/comms"
)

type newTokenBody struct {
	Value    string  `json:"value"`
	Comment  string  `json:"comment"`
	ExpireAt *string `json:"expireAt"`
}

// tokenRow is a token without its value. One that GraphQL made may never end.
type tokenRow struct {
	Comment  string  `json:"comment"`
	ExpireAt *string `json:"expireAt"`
}

func rowsOf(tokens []*comms.ApiToken) []tokenRow {
	rows := make([]tokenRow, len(tokens))
	for i, t := range tokens {
		rows[i] = tokenRow{t.Comment, expiry(t)}
	}
	return rows
}

func expiry(t *comms.ApiToken) *string {
	if t.ExpiresAt == nil {
		return nil
	}
	text := instant(*t.ExpiresAt)
	return &text
}

// createAPIToken makes a token that reads the records and can do nothing else (documented).
func (d *door) createAPIToken(r *http.Request, in *object) (any, error) {
	comment, seconds := in.text("comment"), in.integer("ttl")
	if in.err != nil {
		return nil, in.err
	}
	if seconds < 1 {
		return nil, badInput("ttl must be a number of seconds, at least 1")
	}
	ttl := time.Duration(min(seconds, int(math.MaxInt64/time.Second))) * time.Second
	made, err := d.svc.CreateApiToken(r.Context(), comms.CreateApiToken{Scopes: comms.ReadRecords, TTL: ttl, Comment: comment})
	if err != nil {
		return nil, err
	}
	return newTokenBody{made.Value, made.Token.Comment, expiry(made.Token)}, nil
}

// apiTokens lists the account's tokens, those of other doors too, oldest first.
func (d *door) apiTokens(r *http.Request, _ *object) (any, error) {
	tokens, err := whole(r.Context(), d.svc.Limits().PageSize, d.svc.ApiTokens)
	if err != nil {
		return nil, err
	}
	return rowsOf(tokens), nil
}

// revokeAPITokens ends every token with that comment (contract), and answers what is left.
func (d *door) revokeAPITokens(r *http.Request, in *object) (any, error) {
	comment := in.text("comment")
	if in.err != nil {
		return nil, in.err
	}
	n, err := d.svc.RevokeApiTokens(r.Context(), comment)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, &comms.Error{Code: comms.NotFound, Text: "there is no token with this comment"}
	}
	return d.apiTokens(r, nil)
}
