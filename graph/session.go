package graph

import (
	"context"

	"switchboard/graph/model"
)

func (r queryResolver) Sessions(ctx context.Context, first int) ([]*model.Session, error) {
	list, err := r.svc.Sessions(ctx, first)
	if err != nil {
		return nil, refusal(err)
	}
	out := make([]*model.Session, len(list))
	for i, s := range list {
		out[i] = &model.Session{Session: s}
	}
	return out, nil
}
