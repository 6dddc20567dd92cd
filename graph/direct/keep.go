package direct

import (
	"slices"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// kept are the selections of one document, found once for all that execute it: gqlgen finds them anew each time, which is a quarter of what
// a short operation allocates. A document whose directives decide what is selected has none.
//
// It travels as an extension of gqlgen's statistics, the one part of an operation that others may add to.
type kept struct {
	mu    sync.RWMutex
	found map[keptKey][]keptSet
	sets  int
}

// mostKept bounds what a document keeps: one with more sets has more to do than to find their fields.
const mostKept = 64

// keptKey finds candidates: the first selection, and the type for which the fields were collected.
type keptKey struct {
	first ast.Selection
	of    string
}

// keptSet is a set and its fields. Sets are compared by what is in them, not by where they are: gqlgen makes a new one for each field.
type keptSet struct {
	set    ast.SelectionSet
	fields []graphql.CollectedField
}

const keptExtension = "switchboard.selections"

// Keep makes operations with those statistics remember their selections. The statistics may be copied into many operations.
func Keep(stats *graphql.Stats) {
	stats.SetExtension(keptExtension, &kept{found: map[keptKey][]keptSet{}})
}

// collect is graphql.CollectFields, from memory where it can be. Nobody may change what it returns.
func collect(oc *graphql.OperationContext, set ast.SelectionSet, implementors []string) []graphql.CollectedField {
	k, ok := oc.Stats.GetExtension(keptExtension).(*kept)
	if !ok || len(set) == 0 || len(implementors) == 0 {
		return graphql.CollectFields(oc, set, implementors)
	}
	key := keptKey{set[0], implementors[0]}
	k.mu.RLock()
	known, ok := lookup(k.found[key], set)
	k.mu.RUnlock()
	if ok {
		return known
	}
	fields := graphql.CollectFields(oc, set, implementors)
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := lookup(k.found[key], set); ok { // somebody was faster
		return known
	}
	if k.sets < mostKept {
		k.sets++
		k.found[key] = append(k.found[key], keptSet{set, fields})
	}
	return fields
}

func lookup(sets []keptSet, set ast.SelectionSet) ([]graphql.CollectedField, bool) {
	for _, s := range sets {
		if slices.Equal(s.set, set) {
			return s.fields, true
		}
	}
	return nil, false
}
