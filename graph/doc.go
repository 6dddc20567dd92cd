// Package graph is the GraphQL door: it decodes a request, calls one verb of comms.Service and encodes what came of it.
//
// Start reading at Resolver (resolver.go) and then at the file of a noun (message.go, number.go ...). errors.go says how a refusal
// is told; plan.go how a subscription is set up once and rendered for many. The contract is schema.graphql; gen is generated from it,
// model holds the Go types that gqlgen.yml binds to it, direct is what the generated code runs on. handler.go and its neighbours speak HTTP, WebSocket and SSE.
//
// No rule lives here: who may do what is decided in comms.
package graph
