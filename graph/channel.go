package graph

import (
	"context"

	"switchboard/graph/model"
)

func (r queryResolver) NoticeChannels(ctx context.Context) ([]*model.NoticeChannel, error) {
	list, err := r.notices.Channels(ctx)
	if err != nil {
		return nil, refusal(err)
	}
	out := make([]*model.NoticeChannel, len(list))
	for i, c := range list {
		out[i] = &model.NoticeChannel{Follower: c}
	}
	return out, nil
}
