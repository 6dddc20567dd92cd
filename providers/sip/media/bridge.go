package media

import "errors"

// Bridge joins two legs: each hears the other.
type Bridge struct {
	engine *Engine
	a, b   *Leg
}

// Connect relays between two legs of one engine, from now on. Either may have been in another bridge, which ends: that is how a call is
// transferred. What was played to them ends too. A leg whose media isn't agreed yet simply hears nothing until it is.
func Connect(a, b *Leg) (*Bridge, error) {
	if a == b || a.engine != b.engine {
		return nil, errors.New("media: two legs of one engine make a bridge")
	}
	e := a.engine
	e.wiring.Lock()
	defer e.wiring.Unlock()
	if a.closed.Load() || b.closed.Load() {
		return nil, ErrClosed
	}
	a.bridge.unlink()
	b.bridge.unlink()
	br := &Bridge{engine: e, a: a, b: b}
	a.bridge, b.bridge = br, br
	a.out.interrupt(ErrInterrupted)
	b.out.interrupt(ErrInterrupted)
	a.sink.Store(b)
	b.sink.Store(a)
	return br, nil
}

// Close parts the two, if they are not in another bridge already.
func (b *Bridge) Close() {
	b.engine.wiring.Lock()
	defer b.engine.wiring.Unlock()
	b.unlink()
}

func (b *Bridge) unlink() {
	if b == nil || b.a.bridge != b {
		return
	}
	b.a.bridge, b.b.bridge = nil, nil
	b.a.sink.CompareAndSwap(b.b, nil)
	b.b.sink.CompareAndSwap(b.a, nil)
}

// part takes a leg out of all that it was joined with.
func (l *Leg) part() {
	l.engine.wiring.Lock()
	defer l.engine.wiring.Unlock()
	l.bridge.unlink()
	l.sink.Store(nil)
	l.tap.Store(nil)
}
