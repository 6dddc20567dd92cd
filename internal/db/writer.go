package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"entgo.io/ent/dialect"
	"github.com/mattn/go-sqlite3"

	"switchboard/ent"
)

// errExit is what a change gets whose function ended its goroutine (runtime.Goexit, as testing.T.FailNow does).
var errExit = errors.New("db: the change ended its goroutine")

// writer is SQLite's only writer: a goroutine with a connection, and the changes that wait for it. A change that comes where none waits is
// run by its caller's goroutine: to wake another one and be woken by it takes as long as half of a change.
type writer struct {
	counters
	conn   *sql.Conn
	client *ent.Client // over driver
	driver *changeDriver
	log    *slog.Logger
	most   int // changes that share a commit

	mu     sync.Mutex // guards closed, and with it the queue's end
	closed bool
	queue  chan *job
	wake   chan struct{} // holds a token when something came into the queue; closed at the end
	ended  chan struct{}

	quiet atomic.Bool // the last commit was of one change, and nobody waited behind it
	turn  sync.Mutex  // held by who uses the connection, and all that follows
	words control
	execs *prepared
	open  bool   // a transaction is open
	wary  bool   // a change of it failed: the others have a savepoint each
	now   *job   // the change that runs
	batch []*job // those that were done in the open transaction, in order

	finished bool // the loop came to its end
}

// job is one change on its way.
type job struct {
	ctx       *jobContext
	fn        Func
	committed func()
	state     atomic.Int32
	err       error
	done      chan struct{} // gets one token when err is set
}

const (
	waiting int32 = iota
	started
	abandoned
)

var jobs = sync.Pool{New: func() any { return &job{done: make(chan struct{}, 1)} }}

func (j *job) recycle() {
	j.ctx, j.fn, j.committed, j.err = nil, nil, nil, nil
	j.state.Store(waiting)
	jobs.Put(j)
}

func startWriter(conn *sql.Conn, o Options) (*writer, error) {
	execs, err := newPrepared(conn)
	if err != nil {
		return nil, err
	}
	w := &writer{
		conn: conn, log: o.Logger, most: o.MaxBatch,
		driver: &changeDriver{name: dialect.SQLite, to: execs}, execs: execs,
		queue: make(chan *job, o.MaxQueue),
		wake:  make(chan struct{}, 1),
		ended: make(chan struct{}),
	}
	if err := w.words.prepare(conn); err != nil {
		return nil, err
	}
	w.quiet.Store(true)
	w.client = ent.NewClient(ent.Driver(w.driver))
	go w.loop()
	return w, nil
}

// change has one change done and waits for its end.
func (w *writer) change(ctx context.Context, fn Func, committed func()) error {
	j := jobs.Get().(*job)
	j.ctx, j.fn, j.committed = &jobContext{values: ctx}, fn, committed
	if w.quiet.Load() && len(w.queue) == 0 && w.turn.TryLock() {
		return w.alone(j)
	}
	if err := w.submit(j); err != nil {
		j.recycle()
		return err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, abandoned) {
			return ctx.Err() // the writer recycles it
		}
		<-j.done
	}
	err := j.err
	j.recycle()
	return err
}

// alone does one change on its caller's goroutine, which holds the turn.
func (w *writer) alone(j *job) error {
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	if closed {
		w.turn.Unlock()
		j.recycle()
		return ErrClosed
	}
	w.begin(j)
	<-j.done
	err := j.err
	j.recycle()
	return err
}

// begin runs the change and commits it, unless others came to wait meanwhile: then the goroutine goes on with the open transaction. A
// stranger's function never runs on a caller's goroutine, which it could end.
func (w *writer) begin(j *job) {
	shared := false
	defer func() {
		if !shared {
			w.settle()
		}
		w.turn.Unlock()
	}()
	w.run(j)
	if shared = len(w.queue) > 0; !shared {
		w.commit()
	}
}

func (w *writer) submit(j *job) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.queue <- j:
		select {
		case w.wake <- struct{}{}:
		default:
		}
		return nil
	default:
		w.busy.Add(1)
		return ErrBusy
	}
}

// stop waits until everything that was accepted is done; false when it was stopped before.
func (w *writer) stop() bool {
	w.mu.Lock()
	was := w.closed
	if !was {
		w.closed = true
		close(w.wake)
	}
	w.mu.Unlock()
	<-w.ended
	return !was
}

// Stats tells what the writer has done.
func (w *writer) Stats() Stats { return w.stats(len(w.queue)) }

// loop is the goroutine.
func (w *writer) loop() {
	defer w.survive()
	for more := true; more; _, more = <-w.wake {
		w.turn.Lock()
		for len(w.queue) > 0 {
			w.together()
		}
		w.turn.Unlock()
	}
	w.turn.Lock() // whoever is alone with his change
	w.finished = true
	if err := errors.Join(w.execs.close(), w.words.close()); err != nil {
		w.log.Warn("closing the writer", "error", err)
	}
	w.turn.Unlock()
	close(w.ended)
}

// together does all that waits, and comes to wait meanwhile, in one transaction.
func (w *writer) together() {
	for len(w.batch) < w.most {
		select {
		case j := <-w.queue:
			w.run(j)
			continue
		default:
		}
		break
	}
	w.quiet.Store(len(w.batch) <= 1 && len(w.queue) == 0)
	w.commit()
}

// survive goes on in a new goroutine when a change ended this one: everybody else still waits for the writer.
func (w *writer) survive() {
	if w.finished {
		return
	}
	w.settle()
	w.turn.Unlock()
	go w.loop()
}

// settle brings to an end what a change left that ended the goroutine; after others there is nothing to do.
func (w *writer) settle() {
	if j := w.now; j != nil {
		w.undo(j, errExit)
	}
	w.commit()
	w.release(nil) // those whose commit was done already when a callback ended the goroutine
}

// run does one change that has waited, unless its caller went away.
func (w *writer) run(j *job) {
	if !j.state.CompareAndSwap(waiting, started) {
		j.recycle()
		return
	}
	w.do(j)
}

// do does one change in the open transaction, opening one if need be.
//
// A savepoint for each would cost a quarter of a send: SQLite copies every page that is written for the first time since. So there is none
// until a change fails that has written something. Then all is rolled back, and those before it are done again, as are those behind it, each in
// a savepoint (again). The first of a transaction needs none: to undo it is to roll back.
func (w *writer) do(j *job) {
	saved := false
	if !w.open {
		if err := w.words.begin(); err != nil {
			err = fmt.Errorf("db: beginning a transaction: %w", err)
			if held := (sqlite3.Error{}); errors.As(err, &held) && held.Code == sqlite3.ErrBusy {
				err = crossed{err} // another process writes, for longer than busy_timeout
			}
			w.finish(j, err)
			return
		}
		w.open = true
	} else if saved = w.wary; saved {
		if err := w.words.savepoint(); err != nil {
			w.finish(j, fmt.Errorf("db: setting a savepoint: %w", err))
			return
		}
	}
	w.now, w.driver.wrote = j, false
	if err := w.call(j); err != nil {
		w.undo(j, err)
		return
	}
	w.now = nil
	if saved {
		if err := w.words.release(); err != nil {
			w.undo(j, fmt.Errorf("db: releasing a savepoint: %w", err))
			return
		}
	}
	w.batch = append(w.batch, j)
}

// again does the changes of a transaction that was rolled back once more.
func (w *writer) again() {
	lost := slices.Clone(w.batch)
	w.batch, w.wary = w.batch[:0], true
	for _, j := range lost {
		w.do(j)
	}
}

// call runs the change's function.
func (w *writer) call(j *job) error {
	w.driver.running.Store(j.ctx)
	defer w.driver.running.Store(nil)
	return guard(w.log, j.ctx, w.client, j.fn)
}

// guard turns a panic into an error, and a failed statement into a failed change: see Store.Change.
func guard(log *slog.Logger, ctx *jobContext, tx *ent.Client, fn Func) (err error) {
	defer func() {
		if r := recover(); r != nil {
			log.ErrorContext(ctx, "a change panicked", "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("db: the change panicked: %v", r)
		}
	}()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	if ctx.failed != nil {
		return fmt.Errorf("db: a statement of the change failed: %w", ctx.failed)
	}
	return nil
}

// undo takes back what j did, and tells it.
func (w *writer) undo(j *job, cause error) {
	w.now = nil
	switch {
	case len(w.batch) == 0:
		w.rollback()
	case w.wary:
		if err := w.words.rollbackTo(); err != nil {
			// Some errors (a full disk) make SQLite roll back everything. Then those before j have lost their work too.
			w.rollback()
			w.failed.Add(uint64(len(w.batch)))
			w.release(fmt.Errorf("db: the transaction was lost: %w", errors.Join(cause, err)))
		}
	case w.driver.wrote:
		w.rollback()
		w.finish(j, cause)
		w.again()
		return
	}
	w.finish(j, cause)
}

// rollback ends the open transaction. Its error is that SQLite did so before; were it another, the next BEGIN would fail and say so.
func (w *writer) rollback() {
	w.open = false
	_ = w.words.rollback()
}

// finish tells the caller of a change that was not done.
func (w *writer) finish(j *job, err error) {
	w.failed.Add(1)
	j.err = err
	j.done <- struct{}{}
}

// commit ends the open transaction, if there is one, and tells all who had a part in it.
func (w *writer) commit() {
	w.wary = false
	if !w.open {
		return
	}
	err := w.words.commit()
	if err != nil {
		err = fmt.Errorf("db: committing: %w", err)
		w.rollback()
		w.failed.Add(uint64(len(w.batch)))
		w.release(err)
		return
	}
	w.open = false
	w.counters.commit(len(w.batch))
	for _, j := range w.batch {
		if j.committed != nil {
			w.tell(j)
		}
	}
	w.release(nil)
}

// tell runs one callback. What it does wrong is its own fault: the change stands.
func (w *writer) tell(j *job) {
	defer func() {
		if r := recover(); r != nil {
			w.log.ErrorContext(j.ctx, "the callback of a change panicked", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	j.committed()
}

// release lets the callers of the batch go.
func (w *writer) release(err error) {
	for i, j := range w.batch {
		w.batch[i] = nil
		j.err = err
		j.done <- struct{}{}
	}
	w.batch = w.batch[:0]
}
