package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waoutbox/cmd/internal/explain"
)

func fileWith(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func contents(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// What is no setting can be removed as the error says, and nothing else goes with it.
func TestUnsetRemovesWhatIsNoSetting(t *testing.T) {
	path := fileWith(t, `{"nope":[1],"max-in-flight":8,"another":"x"}`)
	_, err := Load(path, nil, func(string) string { return "" })
	if err == nil || !strings.Contains(err.Error(), " config unset another") || !IsUsage(err) {
		t.Fatalf("Load: %v", err)
	}
	if err := Set(path, KeyLogLevel, "debug"); err == nil {
		t.Error("a setting was changed in a file that cannot be used")
	}
	if err := Unset(path, "another"); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, path), "{\n  \"version\": 1,\n  \"max-in-flight\": 8,\n  \"nope\": [1]\n}\n"; got != want {
		t.Errorf("the file holds %s, want %s", got, want)
	}
	if err := Unset(path, "nope"); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path, nil, func(string) string { return "" }); err != nil || c.MaxInFlight != 8 {
		t.Errorf("%+v, %v", c, err)
	}
	if err := Unset(path, "nope"); err == nil || !IsUsage(err) {
		t.Errorf("what is not there was removed: %v", err)
	}
}

// Set mends the value it replaces, whatever that was.
func TestSetMendsAValueOfTheWrongKind(t *testing.T) {
	path := fileWith(t, `{"max-in-flight":[1]}`)
	if err := Set(path, KeyMaxInFlight, "8"); err != nil {
		t.Fatal(err)
	}
	if v, ok, err := Get(path, KeyMaxInFlight); v != "8" || !ok || err != nil {
		t.Errorf("%q, %v, %v", v, ok, err)
	}
}

// A file that cannot be used says so with the way out, and names no temporary file.
func TestUnusableFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config.json")
	if err := os.MkdirAll(filepath.Join(dir, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(fileWith(t, "{}"), "config.json")
	for path, want := range map[string]string{dir: "is a directory, not a file: move it away", below: "is a file and not a directory"} {
		_, loadErr := Load(path, nil, func(string) string { return "" })
		for name, err := range map[string]error{"Load": loadErr, "Set": Set(path, KeyLogLevel, "debug"), "writeFile": writeFile(path, nil)} {
			if _, ok := errors.AsType[*explain.UnusableError](err); !ok || !strings.Contains(err.Error(), filepath.Dir(path)) || strings.Contains(err.Error(), ".config-") {
				t.Errorf("%s: %v", name, err)
			} else if name != "writeFile" && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
	}
}
