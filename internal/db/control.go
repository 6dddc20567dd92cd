package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// control holds the prepared statements around changes. They run on the driver's connection itself: database/sql and the parsing of
// six words would cost more than what they do. Only the writer's goroutine may use them; nothing else uses its connection.
type control struct {
	statements [words]driver.StmtExecContext
}

const (
	wordBegin = iota
	wordCommit
	wordRollback
	wordSavepoint
	wordRelease
	wordRollbackTo
	words
)

func (c *control) prepare(conn *sql.Conn) error {
	err := conn.Raw(func(raw any) error {
		for i, text := range [words]string{
			"BEGIN IMMEDIATE", "COMMIT", "ROLLBACK",
			"SAVEPOINT change", "RELEASE change", "ROLLBACK TO change",
		} {
			s, err := raw.(driver.Conn).Prepare(text)
			if err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
			c.statements[i] = s.(driver.StmtExecContext)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("db: preparing the writer: %w", errors.Join(err, c.close()))
	}
	return nil
}

func (c *control) close() error {
	var err error
	for _, s := range c.statements {
		if s != nil {
			err = errors.Join(err, s.(driver.Stmt).Close())
		}
	}
	return err
}

func (c *control) exec(word int) error {
	_, err := c.statements[word].ExecContext(context.Background(), nil)
	return err
}

func (c *control) begin() error     { return c.exec(wordBegin) }
func (c *control) commit() error    { return c.exec(wordCommit) }
func (c *control) rollback() error  { return c.exec(wordRollback) }
func (c *control) savepoint() error { return c.exec(wordSavepoint) }
func (c *control) release() error   { return c.exec(wordRelease) }

// rollbackTo leaves no savepoint behind.
func (c *control) rollbackTo() error {
	if err := c.exec(wordRollbackTo); err != nil {
		return err
	}
	return c.exec(wordRelease)
}
