package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"entgo.io/ent/dialect"
	"github.com/mattn/go-sqlite3"

	"switchboard/ent"
)

// errExit is what a change gets whose function ended its goroutine (runtime.Goexit, as testing.T.FailNow does).
var errExit = errors.New("db: the change ended the writer's goroutine")

// writer is SQLite's only writer: a goroutine with a connection, and the changes that wait for it.
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
	ended  chan struct{}

	// The rest belongs to the goroutine.
	words    control
	open     bool   // a transaction is open
	now      *job   // the change that runs
	batch    []*job // those that were done in the open transaction, in order
	finished bool   // the loop came to its end
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
	w := &writer{
		conn: conn, log: o.Logger, most: o.MaxBatch,
		driver: &changeDriver{name: dialect.SQLite, to: conn},
		queue:  make(chan *job, o.MaxQueue),
		ended:  make(chan struct{}),
	}
	if err := w.words.prepare(conn); err != nil {
		return nil, err
	}
	w.client = ent.NewClient(ent.Driver(w.driver))
	go w.loop()
	return w, nil
}

// change hands one change to the writer and waits for its end.
func (w *writer) change(ctx context.Context, fn Func, committed func()) error {
	j := jobs.Get().(*job)
	j.ctx, j.fn, j.committed = &jobContext{values: ctx}, fn, committed
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

func (w *writer) submit(j *job) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.queue <- j:
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
		close(w.queue)
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
	for j := range w.queue {
		w.run(j)
		for n := 1; n < w.most; n++ {
			select {
			case j, more := <-w.queue:
				if more {
					w.run(j)
					continue
				}
			default:
			}
			break
		}
		w.commit()
	}
	w.finished = true
	if err := w.words.close(); err != nil {
		w.log.Warn("closing the writer", "error", err)
	}
	close(w.ended)
}

// survive goes on in a new goroutine when a change ended this one: everybody else still waits for the writer.
func (w *writer) survive() {
	if w.finished {
		return
	}
	if j := w.now; j != nil {
		w.undo(j, errExit)
	}
	w.commit()
	w.release(nil) // those whose commit was done already when a callback ended the goroutine
	go w.loop()
}

// run does one change in the open transaction, opening one if need be. The first of a transaction needs no savepoint: to undo it
// is to roll back.
func (w *writer) run(j *job) {
	if !j.state.CompareAndSwap(waiting, started) {
		j.recycle()
		return
	}
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
	} else if err := w.words.savepoint(); err != nil {
		w.finish(j, fmt.Errorf("db: setting a savepoint: %w", err))
		return
	}
	w.now = j
	if err := w.call(j); err != nil {
		w.undo(j, err)
		return
	}
	w.now = nil
	if len(w.batch) > 0 {
		if err := w.words.release(); err != nil {
			w.undo(j, fmt.Errorf("db: releasing a savepoint: %w", err))
			return
		}
	}
	w.batch = append(w.batch, j)
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
	if len(w.batch) == 0 {
		w.rollback()
		w.finish(j, cause)
		return
	}
	err := w.words.rollbackTo()
	if err != nil {
		// Some errors (a full disk) make SQLite roll back everything. Then those before j have lost their work too.
		w.rollback()
		w.failed.Add(uint64(len(w.batch)))
		w.release(fmt.Errorf("db: the transaction was lost: %w", errors.Join(cause, err)))
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
