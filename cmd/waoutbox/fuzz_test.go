package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzFlags: whatever stands in a file of secrets or headers, or is given as a moment, it is taken
// as valid text or refused, and no refusal of a secret holds it.
func FuzzFlags(f *testing.F) {
	f.Add([]byte("\ufeffwhsec_x\r\n"), "2d", "2026-01-31T09:00:00Z")
	f.Add([]byte("Authorization: Bearer x\r\n\nX-A:b\nx-a: c"), "1h", "36501d")
	f.Add([]byte("\xff"), "-1h", "1e308d")
	f.Add([]byte(strings.Repeat("x", 100)), "2026-01-31 25:00", "NaNd")
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, file []byte, since, until string) {
		secret, err := checkSecret(file, "stdin")
		typed := string(bytes.TrimSpace(file))
		switch {
		case err != nil && len(typed) > 12 && strings.Contains(err.Error(), typed):
			t.Errorf("the secret is told: %v", err)
		case err == nil && (*secret == "" || !utf8.ValidString(*secret) || strings.HasSuffix(*secret, "\n")):
			t.Errorf("%q is taken as %q", file, *secret)
		}
		if text, err := readHeaderText(bytes.NewReader(file), "headers"); err == nil {
			all := map[string]string{}
			for line := range strings.SplitSeq(text, "\n") {
				name, value, _ := strings.Cut(line, ":")
				err := addHeader(all, line, "line 1")
				if err != nil && len(value) > 12 && strings.Contains(err.Error(), value) {
					t.Errorf("a value is told: %v", err)
				}
				if err == nil && (!utf8.ValidString(name) || all[name] != strings.TrimSpace(value)) {
					t.Errorf("%q is taken as %q", line, all[name])
				}
			}
		}
		from, to, err := parseSpan(since, until, now, time.UTC)
		if err == nil && !from.IsZero() && !to.IsZero() && !from.Before(to) {
			t.Errorf("%q to %q is %v to %v", since, until, from, to)
		}
	})
}
