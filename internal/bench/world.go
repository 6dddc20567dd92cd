package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"switchboard/internal/bench/load"
)

const (
	many        = 100 // numbers to which messages are sent in turn
	freeNumbers = 5   // of an account on the free plan (documented by OpenCloud)
	pageSize    = 50
	prefilled   = 200 // messages that the reader received, and as many that it sent
)

// world is what was registered on the switchboard, through its public API as any client would.
type world struct {
	sender, watcher, reader account
	many                    []string // E.164
}

type account struct {
	token   string
	numbers []number
}

type number struct{ ID, Number string }

func (a account) phones() []string {
	out := make([]string, len(a.numbers))
	for i, n := range a.numbers {
		out[i] = n.Number
	}
	return out
}

// settlers is how many accounts are made at a time: each costs slow hashes, which keep one processor busy.
const settlers = 4

// settle registers the accounts; those of many numbers hold five each, as the free plan lets them.
func settle(ctx context.Context, addr string, spread bool) (*world, error) {
	w := &world{}
	type plot struct {
		account *account
		numbers int
	}
	plots := []plot{{&w.sender, 1}, {&w.watcher, 1}, {&w.reader, freeNumbers}}
	var crowd []account
	if spread {
		crowd = make([]account, many/freeNumbers)
		for i := range crowd {
			plots = append(plots, plot{&crowd[i], freeNumbers})
		}
	}
	errs := make([]error, len(plots))
	var wg sync.WaitGroup
	slots := make(chan struct{}, settlers)
	for i, p := range plots {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			*p.account, errs[i] = register(ctx, addr, fmt.Sprintf("bench-%d@example.com", i), p.numbers)
		})
	}
	wg.Wait()
	for _, a := range crowd {
		w.many = append(w.many, a.phones()...)
	}
	return w, errors.Join(errs...)
}

const refusal = `userErrors { code field message }`

// register makes an account with so many numbers, each after a captcha.
func register(ctx context.Context, addr, email string, numbers int) (account, error) {
	conn, err := load.Dial(ctx, addr)
	if err != nil {
		return account{}, err
	}
	defer conn.Close()
	api := caller{conn: conn}
	var made struct{ Token string }
	err = api.call(`mutation($input: RegisterInput!) { it: register(input: $input) { token `+refusal+` } }`,
		map[string]any{"email": email, "password": "a password for the benchmark"}, &made)
	if err != nil {
		return account{}, fmt.Errorf("register: %w", err)
	}
	api.token = made.Token
	a := account{token: made.Token}
	for range numbers {
		n, err := api.createNumber()
		if err != nil {
			return account{}, err
		}
		a.numbers = append(a.numbers, n)
	}
	return a, nil
}

func (c caller) createNumber() (number, error) {
	var q struct{ A, B int }
	if err := c.call(`query { it: captcha { a b } }`, nil, &q); err != nil {
		return number{}, fmt.Errorf("captcha: %w", err)
	}
	var solved struct{ Token string }
	err := c.call(`mutation($input: SolveCaptchaInput!) { it: solveCaptcha(input: $input) { token `+refusal+` } }`,
		map[string]any{"a": q.A, "b": q.B, "answer": q.A + q.B}, &solved)
	if err != nil {
		return number{}, fmt.Errorf("solveCaptcha: %w", err)
	}
	var made struct{ Number number }
	err = c.call(`mutation($input: CreateNumberInput!) { it: createNumber(input: $input) { number { id number } `+refusal+` } }`,
		map[string]any{"alias": "Bench", "pin": "4711", "captchaToken": solved.Token}, &made)
	if err != nil {
		return number{}, fmt.Errorf("createNumber: %w", err)
	}
	return made.Number, nil
}

// caller asks GraphQL for one thing at a time, which the text calls "it".
type caller struct {
	conn  *load.Conn
	token string
}

func (c caller) call(text string, input map[string]any, out any) error {
	request := map[string]any{"query": text}
	if input != nil {
		request["variables"] = map[string]any{"input": input}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	header := graphqlHeader
	if c.token != "" {
		header += "Authorization: Bearer " + c.token + "\r\n"
	}
	status, answer, err := c.conn.Do(load.Request{Method: "POST", Path: "/query", Header: header, Body: body})
	if err != nil {
		return err
	}
	var a struct {
		Data   struct{ It json.RawMessage }
		Errors json.RawMessage
	}
	if err := json.Unmarshal(answer, &a); err != nil || status != 200 || a.Errors != nil || a.Data.It == nil {
		return fmt.Errorf("status %d: %.300s", status, answer)
	}
	var refused struct {
		UserErrors []struct{ Code, Field, Message string }
	}
	if err := json.Unmarshal(a.Data.It, &refused); err != nil {
		return err
	}
	if len(refused.UserErrors) > 0 {
		return fmt.Errorf("refused: %v", refused.UserErrors)
	}
	return json.Unmarshal(a.Data.It, out)
}

// prefill sends the messages that are listed later: one to the reader, one from it, and so on.
func prefill(ctx context.Context, s side, a act) (err error) {
	in, err := s.open(ctx, a, toReader)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := s.open(ctx, a, readerOutwards)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for k := range prefilled {
		if err := errors.Join(in.do(k), out.do(k)); err != nil {
			return fmt.Errorf("prefill: %w", err)
		}
	}
	return nil
}
