package callrecords

import (
	"context"
	"net/http"

	"switchboard/comms"
)

// block hides the records of a number. Every answer of the block list is the whole list.
func (d *door) block(r *http.Request, in *object) (any, error) {
	number := in.text("number")
	if in.err != nil {
		return nil, in.err
	}
	if _, err := d.svc.BlockNumber(r.Context(), comms.BlockNumber{Number: number}); err != nil {
		return nil, err
	}
	return d.blocked(r, nil)
}

func (d *door) unblock(r *http.Request, in *object) (any, error) {
	number := in.text("number")
	if in.err != nil {
		return nil, in.err
	}
	if _, err := d.svc.UnblockNumber(r.Context(), number); err != nil {
		return nil, err
	}
	return d.blocked(r, nil)
}

// blocked lists all numbers, oldest first: this API has no pages here.
func (d *door) blocked(r *http.Request, _ *object) (any, error) {
	rows, err := whole(r.Context(), d.svc.Limits().PageSize, d.svc.BlockedNumbers)
	if err != nil {
		return nil, err
	}
	numbers := make([]string, len(rows))
	for i, b := range rows {
		numbers[i] = shown(b.Number)
	}
	return numbers, nil
}

// whole reads all pages of a list.
func whole[T any](ctx context.Context, size int, read func(context.Context, comms.Page) (*comms.PageOf[T], error)) (all []T, err error) {
	p := comms.Page{First: &size}
	for {
		some, err := read(ctx, p)
		if err != nil {
			return nil, err
		}
		all = append(all, some.Items...)
		if !some.HasNext {
			return all, nil
		}
		p.After = &some.Cursors[len(some.Cursors)-1]
	}
}
