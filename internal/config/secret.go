package config

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Secret is a setting that may hold a password. Written as @/path it is the content of that file without the white space
// around it, wherever it was set, so that neither a command line nor an environment need show it. It does not print itself.
type Secret string

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(b []byte) error {
	path, ok := strings.CutPrefix(string(b), "@")
	if !ok {
		*s = Secret(b)
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the file of a secret: %w", err)
	}
	*s = Secret(strings.TrimSpace(string(content)))
	return nil
}

// String hides it from fmt.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// LogValue hides it from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
