package model

import (
	"context"

	"switchboard/comms"
)

// Connection is a page of a list by the Relay specification (https://relay.dev/graphql/connections.htm). One type serves all nouns.
type Connection[T any] struct {
	Nodes    []*T
	PageInfo *PageInfo
	cursors  []string
	// count is asked only when totalCount is selected: a COUNT costs fifty times the page.
	count func(context.Context) (int, error)
}

// The connections and edges, under the names that gqlgen.yml binds.
type (
	AccountConnection       = Connection[comms.Account]
	AccountEdge             = Edge[comms.Account]
	NumberConnection        = Connection[Number]
	NumberEdge              = Edge[Number]
	MessageConnection       = Connection[Message]
	MessageEdge             = Edge[Message]
	BlockedNumberConnection = Connection[comms.Block]
	BlockedNumberEdge       = Edge[comms.Block]
	ApiTokenConnection      = Connection[ApiToken]
	ApiTokenEdge            = Edge[ApiToken]
	CallConnection          = Connection[Call]
	CallEdge                = Edge[Call]
	RecordingConnection     = Connection[Recording]
	RecordingEdge           = Edge[Recording]
	MaskConnection          = Connection[Mask]
	MaskEdge                = Edge[Mask]
	SipNumberConnection     = Connection[SipNumber]
	SipNumberEdge           = Edge[SipNumber]
	CallRecordEdge          = Edge[CallRecord]
	CarrierLinkConnection   = Connection[CarrierLink]
	CarrierLinkEdge         = Edge[CarrierLink]
	NumberGroupConnection   = Connection[NumberGroup]
	NumberGroupEdge         = Edge[NumberGroup]
	TrunkConnection         = Connection[Trunk]
	TrunkEdge               = Edge[Trunk]
)

// Edge is one item of a page with its cursor.
type Edge[T any] struct {
	Cursor string
	Node   *T
}

// PageInfo says where a page lies in its list.
type PageInfo struct {
	HasNextPage     bool
	HasPreviousPage bool
	StartCursor     *string
	EndCursor       *string
}

// NewConnection shows a page of comms whose items became nodes.
func NewConnection[S, T any](page *comms.PageOf[S], nodes []*T, count func(context.Context) (int, error)) *Connection[T] {
	c := &Connection[T]{Nodes: nodes, cursors: page.Cursors, count: count,
		PageInfo: &PageInfo{HasNextPage: page.HasNext, HasPreviousPage: page.HasPrevious}}
	if n := len(page.Cursors); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &page.Cursors[0], &page.Cursors[n-1]
	}
	return c
}

// Edges are the nodes with their cursors, made only when selected.
func (c *Connection[T]) Edges() []*Edge[T] {
	edges := make([]Edge[T], len(c.Nodes))
	out := make([]*Edge[T], len(c.Nodes))
	for i, n := range c.Nodes {
		edges[i] = Edge[T]{Cursor: c.cursors[i], Node: n}
		out[i] = &edges[i]
	}
	return out
}

// TotalCount counts the whole list.
func (c *Connection[T]) TotalCount(ctx context.Context) (int, error) { return c.count(ctx) }
