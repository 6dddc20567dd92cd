package comms

import (
	"context"
	"fmt"

	"switchboard/ent"
	"switchboard/ent/block"
)

// BlockNumber asks for nothing more from a number.
type BlockNumber struct{ Number, IdempotencyKey string }

// Blocked is the block that came of it, or that was there already.
type Blocked struct {
	Block    *Block
	Replayed bool
}

// BlockNumber refuses what comes from a number from now on. Blocking twice is the same block.
func (s *Service) BlockNumber(ctx context.Context, in BlockNumber) (*Blocked, error) {
	a, err := demand(ctx, WriteNumbers)
	if err != nil {
		return nil, err
	}
	number, err := canonical("number", in.Number)
	if err != nil {
		return nil, err
	}
	out := &Blocked{}
	key := onceKey{Scope: a.AccountID.String(), Key: in.IdempotencyKey, Verb: "blockNumber", Request: number}
	out.Replayed, err = s.once(ctx, key, out, func(ctx context.Context, c *change) error {
		if err := s.lockAccount(ctx, c, a.AccountID); err != nil {
			return err
		}
		row, err := c.tx.Block.Query().Where(block.AccountID(a.AccountID), block.Number(number)).Only(ctx)
		if err == nil {
			out.Block = row
			return nil
		}
		if !ent.IsNotFound(err) {
			return fmt.Errorf("look for a block: %w", err)
		}
		out.Block, err = c.tx.Block.Create().SetAccountID(a.AccountID).SetNumber(number).SetCreatedAt(c.now).Save(ctx)
		if err != nil {
			return fmt.Errorf("store a block: %w", err)
		}
		c.tell(&Event{Kind: NumberBlocked, AccountID: a.AccountID, Block: out.Block})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UnblockNumber takes a block away.
func (s *Service) UnblockNumber(ctx context.Context, number string) (gone *Block, err error) {
	a, err := demand(ctx, WriteNumbers)
	if err != nil {
		return nil, err
	}
	if number, err = canonical("number", number); err != nil {
		return nil, err
	}
	err = s.change(ctx, func(ctx context.Context, c *change) error {
		if err := s.lockAccount(ctx, c, a.AccountID); err != nil {
			return err
		}
		gone, err = c.tx.Block.Query().Where(block.AccountID(a.AccountID), block.Number(number)).Only(ctx)
		if ent.IsNotFound(err) {
			return notFound("number", "this number is not blocked")
		}
		if err != nil {
			return fmt.Errorf("look for a block: %w", err)
		}
		c.tell(&Event{Kind: NumberUnblocked, AccountID: a.AccountID, Block: gone})
		return c.tx.Block.DeleteOne(gone).Exec(ctx)
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

// BlockedNumbers lists the blocks, oldest first.
func (s *Service) BlockedNumbers(ctx context.Context, p Page) (*PageOf[*Block], error) {
	a, err := demand(ctx, ReadNumbers)
	if err != nil {
		return nil, err
	}
	return pageOf(ctx, s, p, list[*Block]{name: 'b', columns: byTime,
		place: func(b *Block) place { return place{at: b.CreatedAt, id: b.ID} },
		read: func(ctx context.Context, w window) ([]*Block, error) {
			return s.store.Read().Block.Query().Where(block.AccountID(a.AccountID), w.where).Order(w.order).Limit(w.limit).All(ctx)
		}})
}
