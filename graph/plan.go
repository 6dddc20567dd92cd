package graph

import (
	"context"

	"switchboard/comms"
)

// A subscription is executed in two modes, so that many subscribers of the same thing share one rendering. First its resolver runs with a
// plan in the context: it opens its watch, leaves it there and yields nothing. Then, for each event, it runs with the event in the
// context and yields just that one; the watch isn't touched again.

// plan travels in the context while a subscription is being set up: the resolver opens its watch and leaves it here.
type plan struct{ watcher *comms.Watcher }

type planKey struct{}

type eventKey struct{}

func withPlan(ctx context.Context, p *plan) context.Context {
	return context.WithValue(ctx, planKey{}, p)
}

func planOf(ctx context.Context) *plan {
	p, _ := ctx.Value(planKey{}).(*plan)
	return p
}

func withEvent(ctx context.Context, e *comms.Event) context.Context {
	return context.WithValue(ctx, eventKey{}, e)
}

func eventOf(ctx context.Context) *comms.Event {
	e, _ := ctx.Value(eventKey{}).(*comms.Event)
	return e
}

// subscribe is what every subscription resolver does: open the watch (plan mode), or show the event (event mode).
func subscribe[T any](ctx context.Context, svc *comms.Service, w comms.Watch, show func(*comms.Event) T) (<-chan T, error) {
	out := make(chan T, 1)
	defer close(out)
	if e := eventOf(ctx); e != nil {
		out <- show(e)
		return out, nil
	}
	p := planOf(ctx)
	if p == nil {
		return nil, refusal(errNoPlan)
	}
	var err error
	if p.watcher, err = svc.OpenWatch(ctx, w); err != nil {
		return nil, refusal(err)
	}
	return out, nil
}
