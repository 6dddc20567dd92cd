package comms

import (
	"strconv"
	"strings"
	"sync"
)

// insert is an INSERT of several rows that is written by hand. Those that run for every message and call are: ent's builders cost as
// much again as the database does.
type insert struct {
	table     string
	columns   []string
	returning string // a column that PostgreSQL answers; SQLite knows the last row id

	mu         sync.Mutex
	statements map[int]string // by rows, of PostgreSQL negative
}

// Insert is the same for the rooms below.
type Insert = insert

// NewInsert is an INSERT into these columns.
func NewInsert(table string, columns ...string) *Insert {
	return &insert{table: table, columns: columns}
}

// Statement is the text for so many rows, at most RowsAtOnce.
func (i *Insert) Statement(rows int, dialect string) string { return i.statement(rows, dialect) }

// RowsAtOnce is how many rows one statement takes.
const RowsAtOnce = rowsAtOnce

// rowsAtOnce keeps one statement under the databases' bounds on variables (SQLite 32766, PostgreSQL 65535).
const rowsAtOnce = 500

// statement is the text for so many rows.
func (i *insert) statement(rows int, dialect string) string {
	key := rows
	if dialect != "sqlite3" {
		key = -rows
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	q, ok := i.statements[key]
	if !ok {
		q = i.write(rows, dialect != "sqlite3")
		if i.statements == nil {
			i.statements = map[int]string{}
		}
		i.statements[key] = q
	}
	return q
}

func (i *insert) write(rows int, dollars bool) string {
	var b strings.Builder
	b.WriteString("INSERT ")
	if !dollars {
		b.WriteString("OR FAIL ") // a statement that fails takes the change with it: SQLite need not be able to undo its first rows alone
	}
	b.WriteString("INTO " + i.table + " (" + strings.Join(i.columns, ", ") + ") VALUES ")
	for n := range rows * len(i.columns) {
		switch {
		case n == 0:
			b.WriteByte('(')
		case n%len(i.columns) == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		if dollars {
			b.WriteString("$" + strconv.Itoa(n+1))
		} else {
			b.WriteByte('?')
		}
	}
	b.WriteByte(')')
	if dollars && i.returning != "" {
		b.WriteString(" RETURNING " + i.returning)
	}
	return b.String()
}
