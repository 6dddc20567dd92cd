package comms

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"switchboard/ent/captcha"
	"switchboard/internal/clock"
)

// captchaLife is how long a question can be answered, and then how long the token is good (OpenCloud: 10 minutes).
const captchaLife = 10 * time.Minute

// Question is a sum. The client names it by A and B.
type Question struct {
	A, B int
	Text string // "3 + 7 = ?"
}

// SolveCaptcha answers a question.
type SolveCaptcha struct{ A, B, Answer int }

// summands are the ranges that A and B are drawn from: larger where the smaller ones are crowded with open questions, of which no two
// are the same. Who guesses at others' questions to spend them finds few.
var summands = []int{99, 99, 99, 999, 9999, 99999, 999999}

// AskCaptcha makes a question. It needs no credential.
func (s *Service) AskCaptcha(ctx context.Context) (*Question, error) {
	if err := s.throttle.take("captcha", s.throttle.Captcha, originKeyOf(originOf(ctx))); err != nil {
		return nil, err
	}
	var q *Question
	err := s.change(ctx, func(ctx context.Context, c *change) error {
		for _, most := range summands {
			a, b := 1+rand.IntN(most), 1+rand.IntN(most)
			stored, err := s.putQuestion(ctx, c, a, b)
			if err != nil {
				return err
			}
			if stored {
				q = &Question{A: a, B: b, Text: fmt.Sprintf("%d + %d = ?", a, b)}
				return nil
			}
		}
		return &Error{Code: Unavailable, Text: "too many questions are open, try again", RetryAfter: time.Second}
	})
	if err != nil {
		return nil, err
	}
	return q, nil
}

// putQuestion stores the question unless it is open already; one that is too old gives way.
func (s *Service) putQuestion(ctx context.Context, c *change, a, b int) (bool, error) {
	// The lock, because the unique index would answer a race with an error that fails the transaction.
	if err := s.store.Lock(ctx, c.tx, uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "captcha %d %d", a, b))); err != nil {
		return false, err
	}
	same := captcha.And(captcha.A(a), captcha.B(b), captcha.Solved(false))
	if _, err := c.tx.Captcha.Delete().Where(same, captcha.ExpiresAtLTE(c.now)).Exec(ctx); err != nil {
		return false, fmt.Errorf("forget an old question: %w", err)
	}
	if open, err := c.tx.Captcha.Query().Where(same).Exist(ctx); err != nil || open {
		return false, err
	}
	err := c.tx.Captcha.Create().SetA(a).SetB(b).SetExpiresAt(c.now.Add(captchaLife)).Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("store a question: %w", err)
	}
	return true, nil
}

// SolveCaptcha gives a token for the right answer to a question that was asked. Either way the question is spent.
func (s *Service) SolveCaptcha(ctx context.Context, in SolveCaptcha) (token uuid.UUID, expires clock.Micros, err error) {
	if err := s.throttle.take("captcha", s.throttle.Captcha, originKeyOf(originOf(ctx))); err != nil {
		return uuid.Nil, 0, err
	}
	right := in.A+in.B == in.Answer
	spent := 0
	err = s.change(ctx, func(ctx context.Context, c *change) (err error) {
		open := captcha.And(captcha.A(in.A), captcha.B(in.B), captcha.Solved(false), captcha.ExpiresAtGT(c.now))
		if !right { // the deletion must be committed, so the refusal comes after
			spent, err = c.tx.Captcha.Delete().Where(open).Exec(ctx)
			return err
		}
		token, expires = uuid.New(), c.now.Add(captchaLife)
		// Of two answers to one question one changes the row, and the other finds none.
		spent, err = c.tx.Captcha.Update().Where(open).SetSolved(true).SetToken(token).SetExpiresAt(expires).Save(ctx)
		return err
	})
	switch {
	case err != nil:
		return uuid.Nil, 0, fmt.Errorf("spend a question: %w", err)
	case spent == 0:
		return uuid.Nil, 0, &Error{Code: Invalid, Field: "a", Reason: ReasonCaptcha, Text: "this question was not asked, or is spent or too old"}
	case !right:
		return uuid.Nil, 0, &Error{Code: Invalid, Field: "answer", Reason: ReasonWrongAnswer, Text: "the answer is wrong; ask for a new question"}
	}
	return token, expires, nil
}

// spendToken takes a token that a solved question earned; of two who try one succeeds.
func (s *Service) spendToken(ctx context.Context, c *change, token uuid.UUID) error {
	n, err := c.tx.Captcha.Delete().Where(captcha.Token(token), captcha.Solved(true), captcha.ExpiresAtGT(c.now)).Exec(ctx)
	if err != nil {
		return fmt.Errorf("spend a captcha token: %w", err)
	}
	if n != 1 {
		return badCaptchaToken()
	}
	return nil
}

func badCaptchaToken() error {
	return &Error{Code: Invalid, Field: "captchaToken", Reason: ReasonCaptcha, Text: "the captcha token is unknown, spent or too old"}
}

func (s *Service) sweepCaptchas(ctx context.Context, now clock.Micros) error {
	return s.inBatches(ctx, "sweep captchas", func(ctx context.Context, c *change) (int, error) {
		ids, err := c.tx.Captcha.Query().Where(captcha.ExpiresAtLTE(now)).Limit(sweepBatch).IDs(ctx)
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return c.tx.Captcha.Delete().Where(captcha.IDIn(ids...), captcha.ExpiresAtLTE(now)).Exec(ctx)
	})
}
