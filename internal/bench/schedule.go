package main

import (
	"context"
	"time"
)

// sends is w1.
func (b *bench) sends(ctx context.Context) error {
	for _, n := range b.clients {
		w := func(a act) workload { return rate{act: a, clients: n, lasts: b.lasts} }
		err := b.against(ctx, entry{what: "w1", who: b.base, load: w(sendPlain)},
			entry{what: "w1 send, GraphQL", who: b.ours, load: w(sendGraphQL), goal: goal{AtLeast: graphqlSends[n], CPU: 110}},
			entry{what: "w1 send, messaging API", who: b.ours, load: w(sendMessaging), goal: goal{AtLeast: messagingSends[n]}},
			entry{what: "w1 (baseline, shared commits)", who: b.group, load: w(sendPlain), reference: true},
			entry{what: "w1 (baseline, JSON+0+data)", who: b.base, load: w(sendLegacy), reference: true})
		if err != nil {
			return err
		}
	}
	return b.group.down()
}

// mostReaders is as far as reads scale on any machine that this is meant for.
const mostReaders = 32

// lists is w2.
func (b *bench) lists(ctx context.Context) error {
	if err := b.prefill(ctx); err != nil {
		return err
	}
	for _, n := range b.clients {
		if n > mostReaders {
			continue
		}
		w := func(a act) workload { return rate{act: a, clients: n, lasts: b.lasts} }
		err := b.against(ctx, entry{what: "w2", who: b.base, load: w(listPlain)},
			entry{what: "w2 newest 50, received", who: b.ours, load: w(listReceived), goal: goal{AtLeast: 0.45}},
			entry{what: "w2 newest 50, all", who: b.ours, load: w(listAll), goal: goal{AtLeast: 0.45}},
			entry{what: "w2 (5 numbers, OpenCloud)", who: b.ours, load: w(listNumbers), reference: true})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) prefill(ctx context.Context) error {
	if err := prefill(ctx, b.base.side(b.base.proc.addr), sendPlain); err != nil {
		return err
	}
	return prefill(ctx, b.ours.side(b.ours.proc.addr), sendGraphQL)
}

// latencies is w3.
func (b *bench) latencies(ctx context.Context) error {
	w := func(a act) workload { return latency{act: a, perSecond: 100, lasts: b.lasts} }
	return b.against(ctx, entry{what: "w3", who: b.base, load: w(sendPlain)},
		entry{what: "w3 send to subscriber, p50", who: b.ours, load: w(sendGraphQL), goal: goal{AtMost: 1.15, Of: p50}})
}

// fanouts is w4. Few subscribers get more events, so that there is enough to divide by.
func (b *bench) fanouts(ctx context.Context) error {
	for _, n := range b.subscribers {
		w := func(a act) workload {
			return fanout{act: a, subscribers: n, events: max(8, min(16, 16000/n)), patience: 15 * time.Second}
		}
		err := b.against(ctx, entry{what: "w4", who: b.base, load: w(sendPlain), fresh: true},
			entry{what: "w4 event to its last subscriber", who: b.ours, load: w(sendGraphQL), fresh: true,
				goal: goal{AtMost: fanoutLasts[n], Of: last, CPU: 14, Socket: 18}})
		if err != nil {
			return err
		}
	}
	return nil
}
