package voice

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSpeak(t *testing.T) {
	s := New(Options{})
	if !s.Speaks("") {
		t.Fatal("espeak-ng is not installed: apt-get install espeak-ng")
	}
	for _, c := range []struct{ text, lang string }{
		{"Your code is 4 7 1 1.", "en"},
		{"您的验证码是 4711。", ""},
		{"コードは 4711 です。", ""},
		{"코드는 4711 입니다.", "ko-KR"},
		{"Ваш код 4711.", "ru"},
		{"رمزك هو 4711", ""},
		{"Ο κωδικός σας είναι 4711", ""},
		{"הקוד שלך הוא 4711", ""},
		{"รหัสของคุณคือ 4711", ""},
		{"आपका कोड 4711 है", ""},
		{"O seu código é 4711", "pt-AO"},
		{"--version", ""}, // no option: it is said
	} {
		samples, err := s.Speak(t.Context(), c.text, c.lang)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if seconds := float64(len(samples)) / rate; seconds < 0.3 || seconds > 15 {
			t.Errorf("%q takes %.1f s", c.text, seconds)
		}
		if loud := loudest(samples); loud < 2000 {
			t.Errorf("%q is no louder than %d", c.text, loud)
		}
	}
}

func loudest(samples []int16) int {
	most := 0
	for _, s := range samples {
		most = max(most, int(s), -int(s))
	}
	return most
}

func TestSpeakRefuses(t *testing.T) {
	s := New(Options{})
	for _, c := range []struct {
		text, lang string
		want       error
	}{
		{" \n", "en", ErrNoText},
		{strings.Repeat("a", mostText+1), "en", ErrTooLong},
		{"nuqneH", "xx-none", ErrNoVoice},
		{"hi", "--help", ErrNoVoice},
	} {
		if _, err := s.Speak(t.Context(), c.text, c.lang); !errors.Is(err, c.want) {
			t.Errorf("%.10q in %q: %v", c.text, c.lang, err)
		}
	}
}

func TestNoVoice(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := New(Options{})
	if s.Speaks("") || s.Speaks("en") {
		t.Error("it speaks without a voice")
	}
	if _, err := s.Speak(t.Context(), "hello", ""); !errors.Is(err, ErrNoVoice) {
		t.Errorf("it says %v", err)
	}
}

// pretend puts another program in the place of espeak-ng.
func pretend(t *testing.T, script string) *Speaker {
	t.Helper()
	dir := t.TempDir()
	voices := "#!/bin/sh\nif [ \"$1\" = --voices ]; then printf 'Pty Language\\n 5 en --/M English gmw/en\\n'; exit 0; fi\n"
	if err := os.WriteFile(filepath.Join(dir, program), []byte(voices+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return New(Options{})
}

func TestProgramFails(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"it fails", "exit 3\n"},
		{"no sound", "echo hello\n"},
		{"cut off", "printf 'RIFF....WAVEfmt '\n"},
		{"too much", "exec cat /dev/zero\n"},
	} {
		if samples, err := pretend(t, c.script).Speak(t.Context(), "secret 4711", "en"); err == nil {
			t.Errorf("%s: %d samples and no error", c.name, len(samples))
		} else if strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: the error holds the text: %v", c.name, err)
		}
	}
}

func TestProgramHangs(t *testing.T) {
	s := pretend(t, "while :; do :; done\n")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Speak(ctx, "hello", "en"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v", err)
	}
}

// The text is not among the arguments, no more than two run at once, and what was said before isn't said again.
func TestProgramIsAskedRightly(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("SPOKEN", log)
	s := pretend(t, "read text; echo \"$* < $text\" >> \"$SPOKEN\"\nhead -c 44 \"$SPOKEN.wav\"; head -c 4000 /dev/zero\n")
	if err := os.WriteFile(log+".wav", heading(22050), 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		for _, text := range []string{"one", "two", "three"} {
			all.Go(func() {
				if _, err := s.Speak(t.Context(), text, "en"); err != nil {
					t.Error(err)
				}
				if n := len(s.turn); n > atOnce {
					t.Errorf("%d at once", n)
				}
			})
		}
	}
	all.Wait()
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) > 6 { // of three texts, two may each have been begun twice
		t.Errorf("it was run %d times:\n%s", len(lines), b)
	}
	for _, line := range lines {
		arguments, _, _ := strings.Cut(line, " < ")
		if arguments != "-v en --stdin --stdout" {
			t.Errorf("the arguments are %q", arguments)
		}
	}
}

func heading(hz uint32) []byte {
	b := []byte("RIFF\x00\xf0\xff\x7fWAVEfmt ")
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint32(b, hz)
	b = binary.LittleEndian.AppendUint32(b, 2*hz)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 16)
	return append(b, "data\x00\xf0\xff\x7f"...)
}

func TestDetect(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "en",
		"4711":                        "en",
		"Hello":                       "en",
		"Bonjour à tous":              "en",
		"您的验证码是 4711":                 "zh",
		"[Switchboard] 您的验证码":         "zh",
		"確認コード":                       "ja",
		"東京に行きます":                     "ja",
		"안녕하세요":                       "ko",
		"Здравствуйте":                "ru",
		"Вітаю, це дзвінок":           "uk",
		"مرحبا":                       "ar",
		"سلام، پیام شما":              "fa",
		"Γειά σου":                    "el",
		"שלום":                        "he",
		"สวัสดี":                      "th",
		"नमस्ते":                      "hi",
		"Tom said 好 and nothing else": "en",
	} {
		if got := Detect(text); got != want {
			t.Errorf("%q is %s, not %s", text, got, want)
		}
	}
}

// A tone below the telephone's band comes through as it was; one above 4 kHz would come back as another and must be gone.
func TestResample(t *testing.T) {
	for _, c := range []struct {
		hz, at   float64
		from     int
		low, top float64
	}{
		{1000, 1000, 22050, 9800, 10200},
		{3000, 3000, 22050, 9500, 10300},
		{5000, 3000, 22050, 0, 20}, // 8000-5000
		{7000, 1000, 22050, 0, 20},
		{1000, 1000, 16000, 9800, 10200},
		{1000, 1000, 8000, 9990, 10010},
	} {
		in := make([]int16, c.from)
		for i := range in {
			in[i] = int16(10000 * math.Sin(2*math.Pi*c.hz*float64(i)/float64(c.from)))
		}
		out := resample(in, c.from)
		if len(out) != rate {
			t.Errorf("a second at %d Hz became %d samples", c.from, len(out))
		}
		if p := power(out[400:7600], c.at); p < c.low || p > c.top {
			t.Errorf("%.0f Hz at %d: %.0f at %.0f Hz", c.hz, c.from, p, c.at)
		}
	}
}

func power(samples []int16, hz float64) float64 {
	w := 2 * math.Pi * hz / rate
	var s1, s2 float64
	for _, s := range samples {
		s1, s2 = float64(s)+2*math.Cos(w)*s1-s2, s1
	}
	return 2 * math.Sqrt(s1*s1+s2*s2-2*math.Cos(w)*s1*s2) / float64(len(samples))
}

func TestCacheIsBounded(t *testing.T) {
	var c cache
	c.put("too long", make([]int16, mostOne+1))
	if _, ok := c.get("too long"); ok {
		t.Error("it keeps what is too long")
	}
	for i := range 64 {
		c.put(string(rune('a'+i)), make([]int16, mostOne))
		c.get("a") // used again and again
	}
	if c.size > mostCached || len(c.entries) != c.order.Len() || c.size != len(c.entries)*mostOne {
		t.Errorf("%d samples in %d entries", c.size, len(c.entries))
	}
	if _, ok := c.get("a"); !ok {
		t.Error("what is used most was forgotten")
	}
	if _, ok := c.get("b"); ok {
		t.Error("what was used least is still there")
	}
}
