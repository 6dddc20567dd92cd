package carrier

import (
	"context"
	"sync"
)

const (
	// mostFailures is how many answers in a row may fail to come before an import ends: a carrier that is down is not asked a thousand times.
	mostFailures = 3
	mostLogged   = 5 // of what one import goes on without
)

// luck is what went wrong with an import so far.
type luck struct {
	mu     sync.Mutex
	inARow int // answers that did not come

	passed  int      // things that the import went on without
	trouble *Trouble // the first of their troubles; it is what the import fails with in the end
}

// goesOn tells, while others are being asked for, whether more is to be asked for after this answer.
func (j *job) goesOn(ctx context.Context, err error) bool {
	j.luck.mu.Lock()
	defer j.luck.mu.Unlock()
	switch t := troubleOf(err); {
	case t == nil:
		j.luck.inARow = 0
	case ends(t):
		return false
	case t.Problem == ProblemUnreachable || t.Problem == ProblemSlow:
		j.luck.inARow++
	}
	return ctx.Err() == nil && j.luck.inARow < mostFailures
}

// ends tells whether after that trouble nothing else of the customer's is worth asking for.
func ends(t *Trouble) bool {
	return t.Problem == ProblemWithdrawn || t.Problem == ProblemPending || t.Problem == ProblemLimited || t.Problem == ProblemOurs
}

// passes judges what went wrong with one thing of many: nil lets the import go on without it, so that it costs nothing else.
func (j *job) passes(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t := troubleOf(err)
	if ends(t) || j.luck.inARow >= mostFailures {
		return err
	}
	if j.luck.passed++; j.luck.passed <= mostLogged {
		j.s.in.Log().WarnContext(ctx, "an import goes on without a part of it", "part", what, "link", j.link.ID, "problem", t.Problem, "error", t.Err)
	}
	if j.luck.trouble == nil {
		j.luck.trouble = t
	}
	return nil
}

// inParallel runs fn for 0 to n-1, so many at a time, until one of them answers false.
func inParallel(at, n int, fn func(i int) bool) {
	var mu sync.Mutex
	next, end := 0, false
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		i := next
		next++
		return i, i < n && !end
	}
	var all sync.WaitGroup
	for range min(at, n) {
		all.Go(func() {
			for i, ok := take(); ok; i, ok = take() {
				if !fn(i) {
					mu.Lock()
					end = true
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
}
