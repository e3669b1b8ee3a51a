package mcpclients

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata")

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if value, ok := strings.CutPrefix(p, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

var systems = []System{
	{GOOS: "linux", Getenv: env("HOME=/home/alice")},
	{GOOS: "darwin", Getenv: env("HOME=/Users/alice", "XDG_CONFIG_HOME=/elsewhere")},
	{GOOS: "windows", Getenv: env(`USERPROFILE=C:\Users\alice`, `APPDATA=C:\Users\alice\AppData\Roaming`)},
}

func entryFor(s System) Entry {
	if s.GOOS == "windows" {
		return Entry{"whatsapp", `C:\Program Files\waoutbox\waoutbox.exe`, []string{"--state-dir", `D:\wa state`, "mcp", "--read-only"}}
	}
	return Entry{"whatsapp", "/usr/local/bin/waoutbox", []string{"mcp"}}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: run the test with -update if this is wanted.\ngot:\n%s\nwant:\n%s", name, got, want)
	}
}

// Each client on each system: the file, what stands in it, and the client's own command.
func TestClients(t *testing.T) {
	t.Parallel()
	for _, s := range systems {
		var b strings.Builder
		for _, c := range All() {
			e := entryFor(s)
			file, err := c.File(s)
			if err != nil {
				file = err.Error()
			}
			snippet, err := c.Snippet(e)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "== %s (%s)\nfile     %s\ncommand  %q\n%s\n", c.Title, c.Name, file, c.Command(e), snippet)
		}
		golden(t, s.GOOS+".txt", b.String())
	}
}

// Files go where the environment says, and an environment that says nothing is told.
func TestFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		client, want string
		system       System
	}{
		{"claude-desktop", "/c/Claude/claude_desktop_config.json", System{GOOS: "linux", Getenv: env("HOME=/h", "XDG_CONFIG_HOME=/c/")}},
		{"vscode", "/h/.config/Code/User/mcp.json", System{GOOS: "linux", Getenv: env("HOME=/h/", "XDG_CONFIG_HOME=relative")}},
		{"vscode", `C:\U\a\AppData\Roaming\Code\User\mcp.json`, System{GOOS: "windows", Getenv: env(`USERPROFILE=C:\U\a`)}},
		{"codex", "/x/config.toml", System{GOOS: "darwin", Getenv: env("HOME=/h", "CODEX_HOME=/x")}},
		{"claude-code", "/x/.claude.json", System{GOOS: "darwin", Getenv: env("HOME=/h", "CLAUDE_CONFIG_DIR=/x")}},
		{"cursor", "where Cursor keeps its servers cannot be told: HOME is not set", System{GOOS: "linux", Getenv: env()}},
		{"cursor", "where Cursor keeps its servers cannot be told: USERPROFILE is not set", System{GOOS: "windows", Getenv: env("HOME=/h")}},
	} {
		c, ok := Find(tt.client)
		if !ok {
			t.Fatal(tt.client)
		}
		got, err := c.File(tt.system)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.client, got, tt.want)
		}
	}
	if _, ok := Find("emacs"); ok {
		t.Error("a client that nobody knows was found")
	}
}

// Claude Desktop as a package of Windows reads its own file, whatever lies in the usual place.
func TestPackagedClaudeDesktop(t *testing.T) {
	t.Parallel()
	c, _ := Find("claude-desktop")
	const usual, local = `C:\R\Claude\claude_desktop_config.json`, `C:\L`
	inside := func(name string) string { return local + `\Packages\` + name + `\LocalCache\Roaming\Claude` }
	for _, tt := range []struct {
		there map[string][]string
		want  string
	}{
		{nil, usual},
		{map[string][]string{local + `\Packages`: {"Claude.Other", "Microsoft.X_1"}}, usual},
		{map[string][]string{local + `\Packages`: {"A_1", "Claude_abc", "Claude_def"}}, inside("Claude_abc") + `\claude_desktop_config.json`},
		{map[string][]string{local + `\Packages`: {"Claude_abc", "Claude_def"}, inside("Claude_def"): {"x", claudeDesktopConfig}}, inside("Claude_def") + `\claude_desktop_config.json`},
	} {
		s := System{GOOS: "windows", Getenv: env(`APPDATA=C:\R`, "LOCALAPPDATA="+local, `USERPROFILE=C:\U`), List: func(dir string) []string { return tt.there[dir] }}
		if got, err := c.File(s); got != tt.want || err != nil {
			t.Errorf("%v: %s, %v, want %s", tt.there, got, err, tt.want)
		}
	}
}

// Files as people have them: what they held stays, and the entry is added, brought up to date, or
// refused.
//
// Mutation of merge.go: another server of the same name is taken for ours.
func TestMergeOfRealFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "files", "*.in"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".in")
		client, _, _ := strings.Cut(name, "_")
		c, ok := Find(client)
		if !ok {
			t.Fatalf("%s is named after no client", file)
		}
		in, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.Merge(in, entryFor(systems[0]))
		if err != nil {
			out = []byte("refused: " + err.Error() + "\n")
		} else if again, err := c.Merge(out, entryFor(systems[0])); err != nil || string(again) != string(out) {
			t.Errorf("%s changes again: %v\n%s", name, err, again)
		}
		golden(t, filepath.Join("files", name+".out"), string(out))
	}
}
