package voice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	program     = "espeak-ng"
	atOnce      = 2                // a burst of spoken calls must not take the processors from those who are talking
	limit       = 10 * time.Second // for one text, waiting for its turn aside
	detectLimit = 5 * time.Second
	mostText    = 4000 // letters
	mostSound   = 16 << 20
)

// Why nothing is spoken.
var (
	ErrNoVoice = errors.New("voice: there is no voice for this language")
	ErrTooLong = errors.New("voice: the text is too long")
	ErrNoText  = errors.New("voice: there is nothing to say")
)

// Options are a speaker's settings.
type Options struct {
	Log *slog.Logger
}

// Speaker speaks. It is safe for many at once.
type Speaker struct {
	path   string            // of the program; empty: there is none
	voices map[string]string // language tag, in lower case → the tag that the program knows
	turn   chan struct{}
	spoken cache
}

// New looks for espeak-ng and asks it what it speaks.
func New(o Options) *Speaker {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Speaker{turn: make(chan struct{}, atOnce)}
	path, err := exec.LookPath(program)
	if err != nil {
		log.Info("no voice: espeak-ng is not installed; calls that speak are refused")
		return s
	}
	ctx, cancel := context.WithTimeout(context.Background(), detectLimit)
	defer cancel()
	list, err := exec.CommandContext(ctx, path, "--voices").Output()
	if err != nil {
		log.Warn("no voice: espeak-ng does not run", "path", path, "error", err)
		return s
	}
	s.voices = readVoices(string(list))
	if len(s.voices) == 0 {
		log.Warn("no voice: espeak-ng names no language", "path", path)
		return s
	}
	s.path = path
	log.Info("a voice: espeak-ng", "path", path, "languages", len(s.voices))
	return s
}

// readVoices reads what "espeak-ng --voices" prints: a heading, then priority, language, age and gender, name, file, and others in
// brackets.
func readVoices(list string) map[string]string {
	voices := map[string]string{}
	for i, line := range strings.Split(list, "\n") {
		fields := strings.Fields(line)
		if i == 0 || len(fields) < 5 || strings.HasPrefix(fields[4], "mb/") { // mbrola's voices are listed without their data
			continue
		}
		voices[strings.ToLower(fields[1])] = fields[1]
	}
	return voices
}

// Speaks tells whether text in a language can be spoken: a BCP 47 tag; empty: any.
func (s *Speaker) Speaks(lang string) bool {
	if lang == "" {
		return s.path != ""
	}
	_, ok := s.voice(lang)
	return ok
}

// voice is the program's own name for a language, or for the nearest that it has: pt-AO is spoken as pt.
func (s *Speaker) voice(lang string) (string, bool) {
	if s.path == "" {
		return "", false
	}
	lang = strings.ToLower(strings.ReplaceAll(lang, "_", "-"))
	if mapped, ok := chinese(lang); ok {
		lang = mapped
	}
	for lang != "" {
		if name, ok := s.voices[lang]; ok {
			return name, true
		}
		if name, ok := s.voices[likely[lang]]; ok {
			return name, true
		}
		lang = lang[:max(strings.LastIndexByte(lang, '-'), 0)]
	}
	return "", false
}

// Speak gives the text as sound, 8 kHz mono. Without a language it is found from the text. The slice is shared with others who say the
// same: it is not to be written to.
func (s *Speaker) Speak(ctx context.Context, text, lang string) ([]int16, error) {
	text = strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), ""))
	switch {
	case text == "":
		return nil, ErrNoText
	case utf8.RuneCountInString(text) > mostText:
		return nil, ErrTooLong
	}
	if lang == "" {
		lang = Detect(text)
	}
	name, ok := s.voice(lang)
	if !ok {
		return nil, ErrNoVoice
	}
	key := name + "\n" + text
	if samples, ok := s.spoken.get(key); ok {
		return samples, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("voice: wait for a turn: %w", ctx.Err())
	}
	if samples, ok := s.spoken.get(key); ok { // somebody else said it meanwhile
		return samples, nil
	}
	samples, err := s.run(ctx, name, text)
	if err != nil {
		return nil, err
	}
	s.spoken.put(key, samples)
	return samples, nil
}

// run has the program speak. The text goes in by its standard input, never as an argument: those anybody on the machine can read, and a
// text that begins with a dash would be an option. The error doesn't hold the text either.
func (s *Speaker) run(ctx context.Context, name, text string) ([]int16, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.path, "-v", name, "--stdin", "--stdout")
	cmd.WaitDelay = time.Second
	cmd.Stdin = strings.NewReader(text)
	out := &bounded{left: mostSound}
	cmd.Stdout = out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("voice: espeak-ng: %w", err)
	}
	samples, hz, err := readWAV(out.buffer.Bytes())
	if err != nil {
		return nil, err
	}
	return resample(samples, hz), nil
}

// bounded holds no more than so many bytes. The buffer is not embedded: its ReadFrom would take in any amount.
type bounded struct {
	buffer bytes.Buffer
	left   int
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.left {
		return 0, io.ErrShortBuffer
	}
	b.left -= len(p)
	return b.buffer.Write(p)
}
