package graph

import (
	"context"

	"switchboard/comms"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

// connection shows a page whose items are nodes as they are.
func connection[T any](page *comms.PageOf[*T], err error) (*model.Connection[T], error) {
	if err != nil {
		return nil, refusal(err)
	}
	return model.NewConnection(page, page.Items, nil), nil
}

// counted is a list's totalCount, whose errors are refusals.
func counted(count func(context.Context) (int, error)) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		n, err := count(ctx)
		return n, refusal(err)
	}
}

// messageConnection shows a page of messages; known are numbers that their field `number` needn't read again.
func (r *Resolver) messageConnection(ctx context.Context, f comms.MessageFilter, p comms.Page, known ...*model.Number) (*model.MessageConnection, error) {
	page, err := r.svc.Messages(ctx, f, p)
	if err != nil {
		return nil, refusal(err)
	}
	count := func(ctx context.Context) (int, error) {
		n, err := r.svc.CountMessages(ctx, f)
		return n, refusal(err)
	}
	return model.NewConnection(page, r.messages(ctx, page.Items, known...), count), nil
}

const (
	unpaged   = 50 // what a page counts for where the query names no size: as many as comms gives then
	statement = 10 // what reading from the store counts for, in fields
	ofGroup   = 50 // what the numbers of a group count for: most have fewer, and none has more than twenty times as many
	ofNumber  = 5  // what the groups of a number count for
)

// complexity makes a list cost its page times its items, totalCount among them: a COUNT over a list costs about as much as a page of it.
// Without it a query of lists in lists would count as its few fields, and read a page for each row of a page.
func complexity(largest int) gen.ComplexityRoot {
	list := func(child int, first *int, _ *string, last *int, _ *string) int {
		n := unpaged
		switch {
		case first != nil:
			n = *first
		case last != nil:
			n = *last
		}
		return statement + child*max(1, min(n, largest)) // past the largest the verb refuses
	}
	var c gen.ComplexityRoot
	c.Query.Numbers = list
	c.Number.Messages = list
	c.Number.Calls = list
	c.Number.Groups = func(child int) int { return statement + ofNumber*child }
	c.Query.NumberGroups = list
	c.NumberGroup.Numbers = func(child int) int { return statement + ofGroup*child }
	c.Query.BlockedNumbers = list
	c.Query.ApiTokens = list
	c.Query.Accounts = list
	c.Query.Messages = func(child int, _ *gen.MessageFilter, first *int, after *string, last *int, before *string) int {
		return list(child, first, after, last, before)
	}
	c.Query.Calls = func(child int, _ *gen.CallFilter, first *int, after *string, last *int, before *string) int {
		return list(child, first, after, last, before)
	}
	c.Query.CallRecords = func(child int, _ *gen.CallRecordFilter, first *int, after *string, last *int, before *string) int {
		return list(child, first, after, last, before)
	}
	c.Query.Recordings = func(child int, _ *gen.RecordingFilter, first *int, after *string, last *int, before *string) int {
		return list(child, first, after, last, before)
	}
	c.Query.Masks = func(child int, _ *gen.MaskFilter, first *int, after *string, last *int, before *string) int {
		return list(child, first, after, last, before)
	}
	c.Query.SipNumbers = list
	c.SipNumber.Password = func(int) int { return statement }
	c.Query.CarrierLinks = list
	c.Query.Trunks = list
	c.Query.Sessions = func(child, first int) int { return list(child, &first, nil, nil, nil) }
	return c
}
