package main

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
)

// accounts is how many there are; the benchmark uses fewer.
const accounts = 200

// note is a message to be kept.
type note struct {
	from, to int
	body     string
}

// store is a file with one writer and a few readers.
type store struct {
	write, read    *sql.DB
	insertQ, listQ *sql.Stmt
	waiting        chan *pending // nil: each note has a commit of its own
}

func openStore(path string, group bool) (*store, error) {
	dsn := "file:" + path + "?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000"
	st := &store{}
	var err error
	if st.write, err = sql.Open("sqlite3", dsn); err != nil {
		return nil, err
	}
	st.write.SetMaxOpenConns(1)
	for _, q := range []string{
		`CREATE TABLE IF NOT EXISTS accounts(id INTEGER PRIMARY KEY, number TEXT NOT NULL)`,
		`CREATE TABLE IF NOT EXISTS messages(id INTEGER PRIMARY KEY, sender INTEGER NOT NULL, recipient INTEGER NOT NULL, body TEXT NOT NULL, created INTEGER NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS messages_recipient ON messages(recipient, id)`,
		`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < ` + strconv.Itoa(accounts-1) + `)
			INSERT OR IGNORE INTO accounts SELECT i, '+358' || (1000000+i) FROM n`,
	} {
		if _, err := st.write.Exec(q); err != nil {
			return nil, fmt.Errorf("make the tables: %w", err)
		}
	}
	if st.read, err = sql.Open("sqlite3", dsn); err != nil {
		return nil, err
	}
	st.read.SetMaxOpenConns(4)
	st.read.SetMaxIdleConns(4)
	if st.insertQ, err = st.write.Prepare(`INSERT INTO messages(sender,recipient,body,created) VALUES(?,?,?,?)`); err != nil {
		return nil, err
	}
	st.listQ, err = st.read.Prepare(`SELECT m.id,m.body,m.created,a.number FROM messages m JOIN accounts a ON a.id=m.sender WHERE m.recipient=? ORDER BY m.id DESC LIMIT ?`)
	if err != nil {
		return nil, err
	}
	if group {
		st.waiting = make(chan *pending, 1024)
		go st.writer()
	}
	return st, nil
}

func (st *store) close() error { return errors.Join(st.read.Close(), st.write.Close()) }

// insert returns once the note is on disk.
func (st *store) insert(m note) (int64, error) {
	if st.waiting != nil {
		p := &pending{note: m, done: make(chan error, 1)}
		st.waiting <- p
		err := <-p.done
		return p.id, err
	}
	return insertBy(st.insertQ, m)
}

func insertBy(q *sql.Stmt, m note) (int64, error) {
	res, err := q.Exec(m.from, m.to, m.body, time.Now().UnixMicro())
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// pending is a note that waits for the writer.
type pending struct {
	note
	id   int64
	done chan error
}

// writer commits whatever waits together, and never waits for more.
func (st *store) writer() {
	for p := range st.waiting {
		batch := []*pending{p}
		for more := true; more && len(batch) < 512; {
			select {
			case p := <-st.waiting:
				batch = append(batch, p)
			default:
				more = false
			}
		}
		err := st.commit(batch)
		for _, p := range batch {
			p.done <- err
		}
	}
}

func (st *store) commit(batch []*pending) error {
	tx, err := st.write.Begin()
	if err != nil {
		return err
	}
	q := tx.Stmt(st.insertQ)
	for _, p := range batch {
		if p.id, err = insertBy(q, p.note); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// newest is JSON of an account's newest n notes with their senders' numbers.
func (st *store) newest(account, n int) ([]byte, error) {
	rows, err := st.listQ.Query(account, n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	b := append(make([]byte, 0, 16<<10), '[')
	for rows.Next() {
		var id, at int64
		var body, number string
		if err := rows.Scan(&id, &body, &at, &number); err != nil {
			return nil, err
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"id":`...), id, 10)
		b = strconv.AppendInt(append(b, `,"createdAt":`...), at, 10)
		b = strconv.AppendQuote(append(b, `,"body":`...), body)
		b = strconv.AppendQuote(append(b, `,"sender":{"number":`...), number)
		b = append(b, '}', '}')
	}
	return append(b, ']'), rows.Err()
}
