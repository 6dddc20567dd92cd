package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Automatic persisted queries, as Apollo defines them: a client sends the SHA-256 of a document first, and the document itself only when
// it is told that the server doesn't know it. What is known is forgotten under pressure; the client then sends it again.

// persistedBytes bounds the documents that are remembered for it.
const persistedBytes = 4 << 20

// The messages and codes that Apollo's and urql's links compare.
const (
	persistedNotFound     = "PERSISTED_QUERY_NOT_FOUND"
	persistedNotSupported = "PERSISTED_QUERY_NOT_SUPPORTED"
	persistedMismatch     = "PERSISTED_QUERY_HASH_MISMATCH"
)

// restore puts the document in place that the request only names, or remembers the one that it brings.
func (h *Handler) restore(p *graphql.RawParams) *gqlerror.Error {
	given := p.Extensions["persistedQuery"]
	if given == nil {
		if p.Query == "" {
			return refused(codeRequest, "query is missing")
		}
		return nil
	}
	named, ok := given.(map[string]any)
	if !ok {
		return refused(codeRequest, "extensions.persistedQuery must be an object")
	}
	if version, _ := named["version"].(json.Number); version != "1" {
		return refused(persistedNotSupported, "PersistedQueryNotSupported")
	}
	hash, _ := named["sha256Hash"].(string)
	if len(hash) != hex.EncodedLen(sha256.Size) {
		return refused(codeRequest, "extensions.persistedQuery.sha256Hash must be a SHA-256 in hexadecimal")
	}
	if p.Query == "" {
		if p.Query, ok = h.persisted.get(hash); !ok {
			return refused(persistedNotFound, "PersistedQueryNotFound")
		}
		return nil
	}
	if sum := sha256.Sum256([]byte(p.Query)); hex.EncodeToString(sum[:]) != hash {
		return refused(persistedMismatch, "provided sha does not match query")
	}
	if _, errs := h.documents.load(p.Query); errs == nil { // what can't be executed needn't be remembered
		h.persisted.add(hash, p.Query, len(p.Query))
	}
	return nil
}
