package carrier

import (
	"context"
	"fmt"
	"slices"
	"time"

	"switchboard/comms"
	"switchboard/comms/record"
	"switchboard/ent"
	"switchboard/ent/callrecord"
	"switchboard/ent/importmark"
	"switchboard/internal/clock"
)

const (
	reach = 90 * 24 * time.Hour // of the first import
	// overlap is how long before its mark a line is listed again: a call is listed by when it began, and known once it has ended and the
	// carrier has got round to it.
	overlap   = 2 * 24 * time.Hour
	atATime   = 4   // requests of one import
	idsAtOnce = 500 // in one statement
)

// errand is what is to be fetched of one line.
type errand struct {
	line  Line
	ids   []string
	since clock.Micros // the line's mark once all of it is stored
	whole bool         // nothing of it failed in a way that may pass
}

// importCalls imports the calls of all lines. What is there is listed first, so that there is a total; then each line's calls are fetched and
// stored, and with the last of them the line's mark. An import that is cut off before lists the line again and skips what is stored.
func (j *job) importCalls(ctx context.Context, lines []Line) error {
	errands, err := j.listCalls(ctx, lines)
	if err != nil {
		return err
	}
	var known []*errand // lines of which everything is stored already
	for _, e := range errands {
		if j.total += len(e.ids); len(e.ids) == 0 {
			known = append(known, e)
		}
	}
	if err := j.store(ctx, stored{marks: known}); err != nil {
		return err
	}
	for _, e := range errands {
		if err := j.fetchCalls(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// listCalls asks each line for the calls that are not stored yet.
func (j *job) listCalls(ctx context.Context, lines []Line) ([]*errand, error) {
	errands := make([]*errand, len(lines))
	troubles := make([]error, len(lines))
	inParallel(atATime, len(lines), func(i int) bool {
		if lines[i].Calls != nil {
			errands[i], troubles[i] = j.list(ctx, lines[i])
		}
		return j.goesOn(ctx, troubles[i])
	})
	var out []*errand
	for i, e := range errands {
		if err := troubles[i]; err != nil && !isGone(err) { // a line without a list of calls has none
			if err := j.passes(ctx, "the list of a line's calls", err); err != nil {
				return nil, err
			}
			continue
		}
		if e != nil {
			out = append(out, e)
		}
	}
	return out, context.Cause(ctx)
}

func (j *job) list(ctx context.Context, line Line) (*errand, error) {
	e := &errand{line: line, since: now(), whole: true}
	from := e.since.Add(-reach)
	mark, err := j.s.in.Read().ImportMark.Query().Where(importmark.LinkID(j.link.ID), importmark.Service(line.Name)).Only(ctx)
	switch {
	case err == nil:
		from = mark.Since.Add(-overlap)
	case !ent.IsNotFound(err):
		return nil, fmt.Errorf("read the mark of a line: %w", err)
	}
	ids, err := line.Calls.Since(ctx, from)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	e.ids, err = j.unknown(ctx, line, slices.Compact(ids))
	return e, err
}

// foreignID is a call's name in our store. It holds nothing of the link, so that a call that two links bring is one record.
func (j *job) foreignID(line Line, id string) string {
	return string(j.link.Carrier) + ":" + line.Name + "/" + id
}

// unknown is those of the calls that are not stored.
func (j *job) unknown(ctx context.Context, line Line, ids []string) ([]string, error) {
	var out []string
	for some := range slices.Chunk(ids, idsAtOnce) {
		names := make([]string, len(some))
		for i, id := range some {
			names[i] = j.foreignID(line, id)
		}
		rows, err := j.s.in.Read().CallRecord.Query().Where(callrecord.AccountID(j.link.AccountID), callrecord.ForeignIDIn(names...)).
			Select(callrecord.FieldForeignID).All(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for records: %w", err)
		}
		there := make(map[string]bool, len(rows))
		for _, row := range rows {
			there[*row.ForeignID] = true
		}
		for i, id := range some {
			if !there[names[i]] {
				out = append(out, id)
			}
		}
	}
	return out, nil
}

// fetchCalls fetches one line's calls and stores them, a batch at a time.
func (j *job) fetchCalls(ctx context.Context, e *errand) error {
	for some := range slices.Chunk(e.ids, batch) {
		rows, looked, ending := j.fetchBatch(ctx, e, some)
		in := stored{rows: rows, looked: looked}
		if last := some[len(some)-1] == e.ids[len(e.ids)-1]; last && ending == nil && e.whole {
			in.marks = []*errand{e}
		}
		// What was fetched is stored even if the import ends here, so that it comes on however often it is cut off.
		if err := j.store(context.WithoutCancel(ctx), in); err != nil {
			return err
		}
		if ending != nil {
			return ending
		}
	}
	return nil
}

// fetchBatch fetches some calls of a line. It answers those that make sense and how many it looked at.
func (j *job) fetchBatch(ctx context.Context, e *errand, ids []string) (rows []record.NewRecord, looked int, ending error) {
	calls, troubles := make([]*Call, len(ids)), make([]error, len(ids))
	inParallel(atATime, len(ids), func(i int) bool {
		calls[i], troubles[i] = e.line.Calls.Call(ctx, ids[i])
		return j.goesOn(ctx, troubles[i])
	})
	for i, call := range calls {
		if call != nil {
			looked++
			row, wrong := accept(j.foreignID(e.line, ids[i]), call, now())
			if wrong == nil {
				rows = append(rows, row)
				continue
			}
			j.leaveOut(ctx, wrong)
			continue
		}
		err := troubles[i]
		switch t := troubleOf(err); {
		case err == nil: // not asked for, because the import ends
		case isGone(err):
			looked++
		case t.Problem == ProblemNonsense || t.Problem == ProblemRefused: // of this record alone: asking again would not help
			looked++
			j.leaveOut(ctx, t.Err)
		default:
			if e.whole = false; ending == nil {
				ending = j.passes(ctx, "a call", err)
			}
		}
	}
	if ending == nil {
		ending = context.Cause(ctx)
	}
	return rows, looked, ending
}

// leaveOut counts a record that makes no sense. The first few are logged.
func (j *job) leaveOut(ctx context.Context, why error) {
	if j.bad++; j.bad <= 5 {
		j.s.in.Log().WarnContext(ctx, "a record of a carrier is left out", "link", j.link.ID, "error", why)
	}
}

// stored is a batch to be stored.
type stored struct {
	rows   []record.NewRecord
	looked int
	marks  []*errand // lines that are done with it
}

// store writes a batch together with how far the import is and, with a line's last, its mark: what the mark says is stored is.
func (j *job) store(ctx context.Context, in stored) error {
	var link *comms.CarrierLink
	var told bool
	err := j.s.in.Change(ctx, func(ctx context.Context, c *comms.Change) error {
		if err := j.s.in.Lock(ctx, c, j.link.AccountID); err != nil {
			return err
		}
		if err := j.s.renew(ctx, c, j.link.ID); err != nil {
			return err
		}
		added := 0
		if len(in.rows) > 0 {
			var err error
			if added, err = j.s.records.Add(ctx, c, j.link.AccountID, j.link.ID, in.rows); err != nil {
				return err
			}
		}
		for _, e := range in.marks {
			if err := j.putMark(ctx, c, e); err != nil {
				return err
			}
		}
		var err error
		link, told, err = j.progressed(ctx, c, j.done+in.looked, j.added+added)
		return err
	})
	if err != nil {
		return err
	}
	j.done, j.added = link.Done, link.Added
	if told {
		j.toldAt = j.done
	}
	j.show(link)
	return nil
}

func (j *job) putMark(ctx context.Context, c *comms.Change, e *errand) error {
	mine := importmark.And(importmark.LinkID(j.link.ID), importmark.Service(e.line.Name))
	n, err := c.Tx().ImportMark.Update().Where(mine).SetSince(e.since).Save(ctx)
	if err == nil && n == 0 {
		err = c.Tx().ImportMark.Create().SetLinkID(j.link.ID).SetService(e.line.Name).SetSince(e.since).Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("store the mark of a line: %w", err)
	}
	return nil
}

// isGone tells whether the carrier says that there is no such thing.
func isGone(err error) bool {
	t := troubleOf(err)
	return t != nil && t.Gone
}
