package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// An agent names headers, and gets them only from the file that the user wrote for himself.
//
// Mutation of agent_files.go: headers come from a file that everybody may read.
func TestHeadersForAgents(t *testing.T) {
	f := agentFiles{t.TempDir()}
	path := filepath.Join(f.stateDir, "webhook-headers")
	refused := func(names []string, say ...string) {
		t.Helper()
		got, err := f.headers(names)
		if api.CodeOf(err) != api.CodeInvalidArguments {
			t.Fatalf("%v, %v", got, err)
		}
		for _, part := range append(say, path) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a value shows: %v", err)
		}
	}
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	refused([]string{"Authorization"}, `"Authorization: VALUE"`, "chmod 600")
	// Before, the user was asked to write down a value that is refused in the end.
	for _, name := range []string{"Host", "x-webhook-id", "two words", ""} {
		if got, err := f.headers([]string{"Authorization", name}); api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), "header") || strings.Contains(err.Error(), "no value yet") {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
	write("\ufeffAuthorization: Bearer hunter2\r\n\nX-Team: sales\n", 0o600)
	got, err := f.headers([]string{"authorization", "X-Team"})
	if err != nil || len(got) != 2 || got["Authorization"] != "Bearer hunter2" || got["X-Team"] != "sales" {
		t.Errorf("%v, %v", got, err)
	}
	refused([]string{"X-Team", "X-Other"}, `"X-Other: VALUE"`)
	write("hunter2\n", 0o600)
	refused([]string{"X-Team"}, "line 1 of", "Name: value")
	if runtime.GOOS != "windows" {
		write("X-Team: sales\n", 0o644)
		refused([]string{"X-Team"}, "chmod 600")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	refused([]string{"X-Team"}, "not a file")
}

// A generated secret is for the user alone, and the newest one counts.
func TestSecretsOfAgents(t *testing.T) {
	f := agentFiles{t.TempDir()}
	for _, secret := range []string{"whsec_one", "whsec_two"} {
		path, err := f.keepSecret("wh_7K2M", secret)
		if err != nil || path != filepath.Join(f.stateDir, "secrets", "wh_7K2M.secret") {
			t.Fatalf("%s, %v", path, err)
		}
		b, err := os.ReadFile(path)
		if err != nil || string(b) != secret+"\n" {
			t.Errorf("%q, %v", b, err)
		}
		for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
			info, err := os.Stat(name)
			if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	if list, err := os.ReadDir(filepath.Join(f.stateDir, "secrets")); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := (agentFiles{filepath.Join(f.stateDir, "secrets", "wh_7K2M.secret")}).keepSecret("wh_1", "x"); err == nil {
		t.Error("kept below a file")
	}
}
