package moor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// answer is the envelope (documented). What else it holds is for people who look for a mistake.
type answer struct {
	Success bool            `json:"success"`
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

func readAnswer(body []byte) (answer, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return answer{}, err
	}
	if a.Code == "" {
		return answer{}, errors.New("code is missing")
	}
	return a, nil
}

// said is what the platform says of a failure, behind a colon.
func (a answer) said() string {
	if a.Message == "" {
		return ""
	}
	return ": " + short(a.Message)
}

// short is a foreign text such that it can be printed.
func short(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if r := []rune(text); len(r) > 200 {
		return string(r[:200]) + "..."
	}
	return text
}

// into reads the data, of which there must be some.
func (a answer) into(data any) error {
	if raw := bytes.TrimSpace(a.Data); len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return errors.New("there is none")
	}
	return json.Unmarshal(a.Data, data)
}

// lists are the three kinds of number.
type lists struct {
	Display *[]number    `json:"displayNumberList"`
	Service *[]number    `json:"serviceNumberList"`
	SIP     *[]sipNumber `json:"sipNumberList"`
}

// number is one that is shown or called, as far as something is made of it.
type number struct {
	Number      string  `json:"number"`
	CallAbility whole   `json:"callAbility"`
	Line        string  `json:"line"`
	Status      string  `json:"status"`
	Source      string  `json:"resourceType"`
	Concurrency whole   `json:"concurrency"`
	Name        *string `json:"name"`
	Groups      []group `json:"group"`
}

type sipNumber struct {
	Number   string `json:"number"`
	Password string `json:"password"`
	Status   whole  `json:"status"`
	Deleted  whole  `json:"isDel"`
}

type group struct {
	Name string `json:"name"`
}

// whole is a whole number. The document's table calls some of them strings and its samples show numbers, so both are read.
type whole int

// UnmarshalJSON implements json.Unmarshaler.
func (w *whole) UnmarshalJSON(b []byte) error {
	text := string(b)
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	if text == "null" || text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%s is no whole number", short(text))
	}
	*w = whole(n)
	return nil
}
