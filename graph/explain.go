package graph

import (
	"context"
	"time"

	"switchboard/comms/call"
	"switchboard/graph/gen"
	"switchboard/internal/clock"
)

func (r queryResolver) ExplainRoute(ctx context.Context, from *string, to string, at *clock.Micros) (*gen.RouteExplanation, error) {
	in := call.ExplainRoute{From: text(from), To: to}
	if at != nil {
		in.At = *at
	}
	e, err := r.calls.ExplainRoute(ctx, in)
	if err != nil {
		return nil, refusal(err)
	}
	out := &gen.RouteExplanation{Decision: gen.RouteDecisionPutThrough, Targets: []*gen.RouteTarget{}, Record: e.Record, Steps: e.Steps}
	switch {
	case e.Refuse != nil:
		out.Decision, out.Reason = gen.RouteDecisionRefuse, &e.Refuse.Why
	case e.Ask != nil:
		out.Decision = gen.RouteDecisionAsk
	}
	if leg := e.Second; leg != nil {
		out.Callee, out.ShownAs, out.RingFor = orNothing(leg.Number), orNothing(leg.ShownAs), int(leg.RingFor/time.Second)
		for _, t := range leg.Targets {
			out.Targets = append(out.Targets, routeTarget(leg, t))
		}
	}
	return out, nil
}

func orNothing(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func routeTarget(leg *call.Leg, t call.Target) *gen.RouteTarget {
	switch {
	case t.World != "":
		return &gen.RouteTarget{Kind: gen.RouteTargetKindWorld, Number: t.World}
	case t.Number != "":
		return &gen.RouteTarget{Kind: gen.RouteTargetKindTrunk, Number: t.Number}
	default:
		return &gen.RouteTarget{Kind: gen.RouteTargetKindPhone, Number: leg.Number}
	}
}
