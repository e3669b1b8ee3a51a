package config

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const (
	goodURL = "ws://127.0.0.1:7000/ws/chat"
	rootKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
)

func noEnv(string) string { return "" }

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func file(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if body != "" {
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestDefaults(t *testing.T) {
	c, err := Load(file(t, ""), nil, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxInFlight != 16 || c.LogLevel != slog.LevelInfo || c.LogFormat != "text" || c.MinFreeBytes != 256<<20 ||
		c.Retain != 72*time.Hour || c.RetainPending != 720*time.Hour || c.RetainDead != 720*time.Hour ||
		c.WhatsAppURL != "" || c.WhatsAppRootKey != "" {
		t.Errorf("defaults are %v", c)
	}
}

// Times are written with their unit, days too; 0 is a time for delivered events alone.
func TestRetain(t *testing.T) {
	for _, tc := range []struct {
		key, text string
		want      time.Duration
	}{
		{"retain", "0", 0}, {"retain", "90m", 90 * time.Minute}, {"retain", "1.5d", 36 * time.Hour}, {"retain", "72", -1},
		{"retain", "-1h", -1}, {"retain", "NaNd", -1}, {"retain", "1e300d", -1}, {"retain", "4000d", -1}, {"retain", "soon", -1}, {"retain", "d", -1},
		{"retain-pending", "0", -1}, {"retain-pending", "59m", -1}, {"retain-pending", "1h", time.Hour}, {"retain-dead", "7d", 168 * time.Hour}, {"retain-dead", "0", -1},
	} {
		c, err := Load(file(t, ""), map[string]string{tc.key: tc.text}, noEnv)
		got := map[string]time.Duration{"retain": c.Retain, "retain-pending": c.RetainPending, "retain-dead": c.RetainDead}[tc.key]
		if (err != nil) != (tc.want < 0) || err == nil && got != tc.want {
			t.Errorf("%s %s: %v, %v", tc.key, tc.text, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "72h or 30d") {
			t.Errorf("%s %s: %v tells no way out", tc.key, tc.text, err)
		}
	}
	path := file(t, "")
	if err := Set(path, "retain", "0"); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path, nil, noEnv); err != nil || c.Retain != 0 || c.source(KeyRetain) != SourceFile {
		t.Errorf("set to 0: %v, %v", c.Retain, err)
	}
	if c, err := Load(path, nil, env("WAOUTBOX_RETAIN", "7d")); err != nil || c.Retain != 168*time.Hour {
		t.Errorf("from the environment: %v, %v", c.Retain, err)
	}
}

func TestPrecedence(t *testing.T) {
	path := file(t, `{"version":1,"max-in-flight":30,"log-level":"error"}`)
	for _, tc := range []struct {
		name  string
		flags map[string]string
		env   func(string) string
		want  int
		from  Source
	}{
		{"file", nil, noEnv, 30, SourceFile},
		{"env over file", nil, env("WAOUTBOX_MAX_IN_FLIGHT", "20"), 20, SourceEnv},
		{"flag over env", map[string]string{"max-in-flight": "10"}, env("WAOUTBOX_MAX_IN_FLIGHT", "20"), 10, SourceFlag},
		{"empty flag is the default", map[string]string{"max-in-flight": ""}, env("WAOUTBOX_MAX_IN_FLIGHT", "20"), 16, SourceFlag},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Load(path, tc.flags, tc.env)
			if err != nil {
				t.Fatal(err)
			}
			if c.MaxInFlight != tc.want || c.source(KeyMaxInFlight) != tc.from {
				t.Errorf("got %d from %s, want %d from %s", c.MaxInFlight, c.source(KeyMaxInFlight), tc.want, tc.from)
			}
			if c.LogLevel != slog.LevelError {
				t.Errorf("log level %v, want the file's", c.LogLevel)
			}
		})
	}
}

// Every refusal names the setting and the place, and leaves no doubt what to write instead.
func TestLoadRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		body  string
		flags map[string]string
		env   func(string) string
		want  []string
	}{
		{"unknown key in file", `{"max-inflight":3}`, nil, noEnv, []string{`"max-inflight"`, "config.json", "max-in-flight"}},
		{"unknown flag", ``, map[string]string{"nope": "1"}, noEnv, []string{`"nope"`, "--nope", "log-level"}},
		{"newer file", `{"version":2}`, nil, noEnv, []string{"config.json", "newer", "version 2"}},
		{"odd version", `{"version":"x"}`, nil, noEnv, []string{"config.json", `"version": 1`}},
		{"not JSON", `max-in-flight=3`, nil, noEnv, []string{"config.json", "not a JSON object"}},
		{"null", `null`, nil, noEnv, []string{"not a JSON object"}},
		{"trailing data", `{} {}`, nil, noEnv, []string{"not a JSON object"}},
		{"null value", `{"log-level":null}`, nil, noEnv, []string{"log-level", "config.json", "config set log-level"}},
		{"list value", `{"log-level":["info"]}`, nil, noEnv, []string{"log-level", "neither a text nor a number"}},
		{"too small, file", `{"max-in-flight":0}`, nil, noEnv, []string{"max-in-flight in ", "from 1 to 512", "config set max-in-flight VALUE", "config unset max-in-flight"}},
		{"too big, env", ``, nil, env("WAOUTBOX_MAX_IN_FLIGHT", "513"), []string{"$WAOUTBOX_MAX_IN_FLIGHT", "from 1 to 512"}},
		{"no number, flag", ``, map[string]string{"max-in-flight": "many"}, noEnv, []string{"--max-in-flight", `"many"`, "from 1 to 512"}},
		{"log level", ``, map[string]string{"log-level": "loud"}, noEnv, []string{"--log-level", "debug, info, warn, error"}},
		{"log level is exact", ``, map[string]string{"log-level": "info+1"}, noEnv, []string{"--log-level"}},
		{"log format", ``, map[string]string{"log-format": "xml"}, noEnv, []string{"--log-format", "text, json"}},
		{"bytes", ``, map[string]string{"min-free-bytes": "lots"}, noEnv, []string{"--min-free-bytes", "256MiB"}},
		{"root key", ``, map[string]string{"whatsapp-url": goodURL, "whatsapp-root-key": "abc"}, noEnv, []string{"--whatsapp-root-key", "64 hex digits"}},
		{"url alone", ``, map[string]string{"whatsapp-url": goodURL}, noEnv, []string{"whatsapp-url", "config set whatsapp-root-key"}},
		{"key alone", ``, nil, env("WAOUTBOX_WHATSAPP_ROOT_KEY", rootKey), []string{"whatsapp-root-key", "config set whatsapp-url"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(file(t, tc.body), tc.flags, tc.env)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "268435456": 256 << 20, "256MiB": 256 << 20, "256 mib": 256 << 20, "1.5GiB": 3 << 29, "500MB": 500e6, "2kb": 2000, "7B": 7,
	} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "-1", "-1MiB", "MiB", "1e9MiB", "NaNB", "infB", "0x10B", "1.2.3MB", "9999999TiB", "99999999999999999999", "12 parsecs"} {
		if got, err := ParseBytes(bad); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", bad, got)
		}
	}
}

// TestNoMinimumOfFreeSpace: 0 is none, from every place a setting comes from. Before, 0 was
// accepted and meant the default of 256 MiB.
func TestNoMinimumOfFreeSpace(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		flags   map[string]string
		getenv  func(string) string
	}{
		"flag": {`{}`, map[string]string{"min-free-bytes": "0"}, noEnv},
		"env":  {`{}`, nil, func(key string) string { return map[string]string{"WAOUTBOX_MIN_FREE_BYTES": "0"}[key] }},
		"file": {`{"min-free-bytes":0}`, nil, noEnv},
	} {
		if c, err := Load(file(t, tc.content), tc.flags, tc.getenv); err != nil || c.MinFreeBytes != 0 {
			t.Errorf("%s: %d, %v", name, c.MinFreeBytes, err)
		}
	}
	path := filepath.Join(t.TempDir(), "config.json")
	if err := Set(path, "min-free-bytes", "0"); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path, nil, noEnv); err != nil || c.MinFreeBytes != 0 {
		t.Errorf("set: %d, %v", c.MinFreeBytes, err)
	}
}

func TestSetGetUnset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "config.json")
	for key, value := range map[string]string{"max-in-flight": "64", "log-level": "debug", "min-free-bytes": "1GiB"} {
		if err := Set(path, key, value); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := Get(path, key); err != nil || !ok || got != value {
			t.Errorf("Get(%s) = %q, %v, %v", key, got, ok, err)
		}
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"version\": 1,\n  \"max-in-flight\": 64,\n  \"log-level\": \"debug\",\n  \"min-free-bytes\": \"1GiB\"\n}\n"
	if string(body) != want {
		t.Errorf("file is\n%s\nwant\n%s", body, want)
	}
	if err := Unset(path, "max-in-flight"); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := Get(path, "max-in-flight"); ok {
		t.Error("still there after Unset")
	}
	c, err := Load(path, nil, noEnv)
	if err != nil || c.MaxInFlight != 16 || c.MinFreeBytes != 1<<30 || c.LogLevel != slog.LevelDebug {
		t.Errorf("loaded %v, %v", c, err)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("left beside the file: %v", entries)
	}
	if runtime.GOOS != "windows" {
		for p, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
			if info, err := os.Stat(p); err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s has mode %v, want %v", p, info.Mode().Perm(), mode)
			}
		}
	}
}

func TestSetRefusesAndChangesNothing(t *testing.T) {
	const before = `{"log-format":"json"}`
	path := file(t, before)
	for _, kv := range [][2]string{{"max-in-flight", "0"}, {"log-format", ""}, {"colour", "red"}, {"whatsapp-url", "ws://example.com"}, {"whatsapp-root-key", "zz"}} {
		err := Set(path, kv[0], kv[1])
		if err == nil || !strings.Contains(err.Error(), kv[0]) || !IsUsage(err) {
			t.Errorf("Set(%v) = %v", kv, err)
		}
	}
	if err := Unset(path, "colour"); err == nil {
		t.Error("Unset of an unknown key accepted")
	}
	if _, _, err := Get(path, "colour"); err == nil {
		t.Error("Get of an unknown key accepted")
	}
	if body, _ := os.ReadFile(path); string(body) != before {
		t.Errorf("file changed to %s", body)
	}
}

// A file with a wrong value can be mended with the command that the error names.
func TestSetMendsAWrongValue(t *testing.T) {
	path := file(t, `{"max-in-flight":9000}`)
	if _, err := Load(path, nil, noEnv); err == nil {
		t.Fatal("accepted")
	}
	if err := Set(path, "max-in-flight", "9"); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path, nil, noEnv); err != nil || c.MaxInFlight != 9 {
		t.Errorf("%v, %v", c, err)
	}
}

func TestTwoSetsForAnotherServer(t *testing.T) {
	for _, order := range [][2]string{{KeyWhatsAppURL, KeyWhatsAppRootKey}, {KeyWhatsAppRootKey, KeyWhatsAppURL}} {
		values := map[string]string{KeyWhatsAppURL: goodURL, KeyWhatsAppRootKey: rootKey}
		path := file(t, "")
		if err := Set(path, order[0], values[order[0]]); err != nil {
			t.Fatal(err)
		}
		if hint, err := Hint(path); err != nil || !strings.Contains(hint, "config set "+order[1]) {
			t.Errorf("after %s the hint is %q, %v", order[0], hint, err)
		}
		if _, err := Load(path, nil, noEnv); err == nil {
			t.Error("half a server was accepted")
		}
		if err := Set(path, order[1], values[order[1]]); err != nil {
			t.Fatal(err)
		}
		if hint, err := Hint(path); err != nil || hint != "" {
			t.Errorf("hint %q, %v", hint, err)
		}
		c, err := Load(path, nil, noEnv)
		if err != nil || c.WhatsAppURL != goodURL || c.WhatsAppRootKey != rootKey {
			t.Errorf("%v, %v", c, err)
		}
	}
}

func TestSecretsStayOutOfLogs(t *testing.T) {
	c, err := Load(file(t, ""), map[string]string{"whatsapp-url": goodURL, "whatsapp-root-key": rootKey}, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "config", c)
	out := log.String() + fmt.Sprintf("%v %+v %#v %s", c, c, c, c)
	for _, v := range c.Values() {
		out += v.Shown
	}
	if strings.Contains(out, "0011") {
		t.Errorf("the root key shows: %s", out)
	}
	if !strings.Contains(log.String(), `"whatsapp-root-key":"(set)"`) || !strings.Contains(log.String(), `"max-in-flight":"16"`) {
		t.Errorf("log line %s", log.String())
	}
}

// The table is complete: every row has what flags, help and environment are made from, and its
// default passes its own check.
func TestTable(t *testing.T) {
	for _, s := range Keys() {
		if s.Key == "" || s.Kind == "" || s.Help == "" || s.Env != envName(s.Key) || s.check == nil || s.apply == nil {
			t.Errorf("incomplete row %+v", s.Key)
		}
		if s.Default != "" && s.check(s.Default) != nil {
			t.Errorf("%s: default %q fails its own check", s.Key, s.Default)
		}
		if s.check("\x00") == nil {
			t.Errorf("%s accepts anything", s.Key)
		}
	}
}

// What a change would do is known before it is made, and nothing secret is in it.
//
// Mutation of file.go: the audit trail holds the value of a secret setting.
func TestChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	const key = "0011223344556677001122334455667700112233445566770011223344556677"
	for _, tt := range []struct {
		key, value string
		unset      bool
		was, is    string
	}{
		{KeyMaxSends, "10", false, "", "10"},
		{KeyMaxSends, "10", false, "10", "10"},
		{KeyMaxSends, "20", false, "10", "20"},
		{KeyMaxSends, "", true, "20", ""},
		{KeyMaxSends, "", true, "", ""},
		{KeyWhatsAppRootKey, key, false, "", "(set)"},
		{KeyWhatsAppRootKey, "", true, "(set)", ""},
	} {
		was, is, err := Change(path, tt.key, tt.value, tt.unset)
		if err != nil || was != tt.was || is != tt.is {
			t.Errorf("%+v: %q, %q, %v", tt, was, is, err)
		}
		if tt.unset {
			err = Unset(path, tt.key)
		} else {
			err = Set(path, tt.key, tt.value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []struct {
		key, value string
		unset      bool
	}{{KeyMaxSends, "many", false}, {KeyMaxSends, "", false}, {"nothing", "1", false}, {"nothing", "", true}} {
		if _, _, err := Change(path, bad.key, bad.value, bad.unset); !IsUsage(err) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if !Secret(KeyWhatsAppRootKey) || Secret(KeyMaxSends) {
		t.Error("what is secret is not")
	}
}

// A number without its unit was taken: max-size 10 let everything expire that waited.
//
// Mutation of parse.go: max-size 10, meant as 10 GiB, lets everything expire that waits.
func TestMaxSizeHasALeast(t *testing.T) {
	for text, want := range map[string]bool{"0": true, "512KiB": true, "10GiB": true, "10": false, "1KiB": false, "500000": false} {
		s, ok := find(KeyMaxSize)
		if !ok {
			t.Fatal("it is no setting")
		}
		err := s.check(text)
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "512KiB is the least") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
