package model

import (
	"context"
	"sync"

	"github.com/google/uuid"
)

// Batch is what the items of one list share of another noun: the first item that is asked for its own has all of them read in one
// statement. The list itself is the batch, so it needs neither goroutines that wait for one another nor a timer.
type Batch[V any] struct {
	ids  func() []uuid.UUID
	read func(context.Context, []uuid.UUID) (map[uuid.UUID]V, error)

	once  sync.Once
	found map[uuid.UUID]V
	err   error
}

// NewBatch reads by read what ids name. ids is asked once, and only if anything is.
func NewBatch[V any](ids func() []uuid.UUID, read func(context.Context, []uuid.UUID) (map[uuid.UUID]V, error)) *Batch[V] {
	return &Batch[V]{ids: ids, read: read}
}

// Known is a batch that has everything already.
func Known[V any](found map[uuid.UUID]V) *Batch[V] {
	b := &Batch[V]{found: found}
	b.once.Do(func() {})
	return b
}

// Get is the one of that id; the zero value where there is none.
func (b *Batch[V]) Get(ctx context.Context, id uuid.UUID) (V, error) {
	b.once.Do(func() {
		seen := map[uuid.UUID]bool{uuid.Nil: true}
		var distinct []uuid.UUID
		for _, id := range b.ids() {
			if !seen[id] {
				seen[id] = true
				distinct = append(distinct, id)
			}
		}
		if len(distinct) > 0 {
			b.found, b.err = b.read(ctx, distinct)
		}
	})
	return b.found[id], b.err
}

// orNil is text that may be missing: empty is null.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// idOrNil is the id, or Nil where there is none.
func idOrNil(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}
