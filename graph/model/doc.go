// Package model holds the Go side of the GraphQL types that are neither a noun of comms nor generated: pages, scalars, and thin
// wrappers that show a noun to one viewer. gqlgen.yml binds them; graph/gen imports them, graph fills them.
//
// No rule lives here, and nothing that reads the store but through the Source that graph hands in.
package model
