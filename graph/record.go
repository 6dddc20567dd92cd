package graph

import (
	"context"

	"switchboard/comms"
	"switchboard/comms/record"
	"switchboard/graph/gen"
	"switchboard/graph/model"
)

func (r queryResolver) CallRecords(ctx context.Context, filter *gen.CallRecordFilter, first *int, after *string, last *int, before *string) (*model.CallRecordConnection, error) {
	search := searchOf(filter)
	page, err := r.records.Records(ctx, search, comms.Page{First: first, After: after, Last: last, Before: before})
	if err != nil {
		return nil, refusal(err)
	}
	path, expires, err := r.records.CSVLink(ctx, search)
	if err != nil {
		return nil, refusal(err)
	}
	count := func(ctx context.Context) (int, error) {
		n, err := r.records.CountRecords(ctx, search)
		return n, refusal(err)
	}
	return &model.CallRecordConnection{Connection: model.NewConnection(page, r.showRecords(ctx, page.Items), count),
		CsvURL: baseURL(ctx) + path, CsvURLExpiresAt: expires}, nil
}

func searchOf(in *gen.CallRecordFilter) record.Search {
	if in == nil {
		return record.Search{}
	}
	s := record.Search{MinDuration: in.MinDuration, MaxDuration: in.MaxDuration, From: in.From, To: in.To}
	setWord(&s.Direction, in.Direction)
	if in.Numbers != nil { // one of the two is given
		s.Numbers, s.Not = append(in.Numbers.AnyOf, in.Numbers.NoneOf...), in.Numbers.NoneOf != nil
	}
	return s
}

// showRecords shows call records with the links by which their recordings can be fetched.
func (r *Resolver) showRecords(ctx context.Context, rows []*record.Row) []*model.CallRecord {
	list := make([]*comms.CallRecord, len(rows))
	for i, row := range rows {
		list[i] = row.CallRecord
	}
	calls := model.NewBatch(model.RecordCalls(list), r.callsByID)
	links := model.NewBatch(model.RecordLinks(list), r.linksByID)
	out := make([]*model.CallRecord, len(rows))
	for i, row := range rows {
		out[i] = &model.CallRecord{CallRecord: row.CallRecord, Calls: calls, Links: links}
		if row.Recording != "" {
			url := baseURL(ctx) + row.Recording
			out[i].RecordingURL = &url
		}
	}
	return out
}
