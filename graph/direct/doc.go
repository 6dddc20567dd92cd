// Package direct is what the generated graph/gen/direct.go runs on. It writes objects of a GraphQL response straight into one slice of bytes.
//
// gqlgen makes a context, three closures and a boxed result for every field, and a goroutine for every element of a list: 60 % of what a list
// of messages costs. None of it is needed for a field that only shows what its object holds. internal/gqlgen decides which those
// are and generates their code; a field with a resolver or arguments still goes gqlgen's way.
//
// What is the same as with gqlgen: the selection (aliases, fragments, @skip and @include), null and the propagation of errors through
// non-null fields, the path and place of an error. What is not: field interceptors aren't called for direct fields, @defer is ignored as the
// specification allows, and once a non-null field failed the rest of its object isn't looked at.
package direct
