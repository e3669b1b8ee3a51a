package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzFile: whatever stands in config.json, it is read or refused; what is read is written so that
// it is read the same.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"version":1,"log-level":"debug","max-size":10737418240}`, `{"version":2}`, `{"version":"1"}`, `{"log-level":null}`, `{"log-level":["a"]}`, `{"a":1,"a":2}`,
		`{"http":"127.0.0.1:80","webhook-hosts":"a.example"}`, `{"whatsapp-url":"ws://127.0.0.1:1/"}`, "\xef\xbb\xbf{}", `{"\u0000":1}`, `[`, `{"retention":1e400}`, `{"keep-media":true}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "config.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		members, err := readMembers(path)
		if err != nil {
			return
		}
		stored, err := settingsOf(path, members)
		if err != nil {
			return
		}
		written := encode(members)
		if err := os.WriteFile(path, written, 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := readFile(path)
		if err != nil || len(again) != len(stored) {
			t.Fatalf("%q is written as %q: %v, %v and %v", text, written, err, stored, again)
		}
		for key, v := range stored {
			if again[key] != v {
				t.Errorf("%s was %q and is %q", key, v, again[key])
			}
		}
		if m, err := readMembers(path); err != nil || !bytes.Equal(encode(m), written) {
			t.Errorf("%q is written as %q, then as %q, %v", text, written, encode(m), err)
		}
	})
}

// FuzzSettings: whatever is typed as a setting's value, it is taken or refused; what is taken is
// taken from the file again.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		"debug", "10GiB", "-1", "9223372036854775808", "1e30GB", "30d", "1e9d", "NaNd", "-5h", "image=20MiB,all", "127.0.0.1:8080", "[::1]:0", ":80", "a.example,*.b.example", "/a:/b", "true",
		"http://alice:s3crEt@h:1", "https://alerts.example/in?token=x", "ws://127.0.0.1:1/", "environment", "off", "", " ", "\x00", "０", "ask",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for _, s := range Keys() {
			if s.check(v) != nil || v == "" {
				continue
			}
			text, err := memberText(encodeValue(s, v))
			if err != nil {
				t.Fatalf("%s %q stands in the file as what cannot be read: %v", s.Key, v, err)
			}
			if err := s.check(text); err != nil {
				t.Errorf("%s takes %q, and of the file %q not: %v", s.Key, v, text, err)
			}
		}
	})
}
