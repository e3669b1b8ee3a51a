package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"waoutbox/connection/wajson/wajsontest"
)

// TestREADMEVerifies runs the functions with which README.md verifies a signature: Go's always,
// Node's and Python's where they are installed.
func TestREADMEVerifies(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(repository, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := bytes.Cut(readme, []byte("## Verify a signature"))
	snippet := func(language string) string {
		m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(section)
		if m == nil {
			t.Fatalf("README.md verifies nothing in %s", language)
		}
		return string(m[1])
	}
	mac := hmac.New(sha256.New, []byte(verifySecret))
	mac.Write([]byte(verifyBody))
	good := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	env := append(os.Environ(), "BODY="+verifyBody, "GOOD="+good, "BAD="+good[:len(good)-1]+"x", "SECRET="+verifySecret, "GOFLAGS=", "GOWORK=off")

	run := func(language, name, text string, argv ...string) {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range map[string]string{name: text, "go.mod": "module verify\n\ngo 1.26\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), argv[0], append(argv[1:], name)...)
			cmd.Dir, cmd.Env = dir, env
			out, err := cmd.CombinedOutput()
			if got := string(bytes.ToLower(bytes.Join(bytes.Fields(out), []byte(" ")))); err != nil || got != "true false false" {
				t.Errorf("%v, got\n%s\nwant true, false, false", err, out)
			}
		})
	}
	run("go", "main.go", "package main\n\nimport (\n\t\"crypto/hmac\"\n\t\"crypto/sha256\"\n\t\"encoding/hex\"\n\t\"fmt\"\n\t\"os\"\n)\n\n"+snippet("go")+
		"\nfunc main() {\n\tfor _, s := range []string{os.Getenv(\"GOOD\"), os.Getenv(\"BAD\"), \"\"} {\n"+
		"\t\tfmt.Println(valid([]byte(os.Getenv(\"BODY\")), s, os.Getenv(\"SECRET\")))\n\t}\n}\n", "go", "run")
	if node := wajsontest.NodePath(t); node != "" {
		run("node", "verify.js", snippet("js")+"\nconst E = process.env;\nconst raw = Buffer.from(E.BODY);\n"+
			"console.log(valid(raw, E.GOOD, E.SECRET) && valid(JSON.parse(E.BODY), E.GOOD, E.SECRET), valid(raw, E.BAD, E.SECRET), valid(raw, undefined, E.SECRET));\n", node)
	}
	if python, err := exec.LookPath("python3"); err == nil {
		run("python", "verify.py", snippet("python")+"\nimport os\nE = os.environ\nbody = E['BODY'].encode()\n"+
			"print(*(valid(body, s, E['SECRET']) for s in (E['GOOD'], E['BAD'], None)))\n", python)
	}
}

// TestDocumentsHaveJSON: every block of JSON in README.md and docs is JSON.
func TestDocumentsHaveJSON(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range append(paths, filepath.Join(repository, "README.md")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1) {
			found++
			var v any
			if err := json.Unmarshal(m[1], &v); err != nil {
				t.Errorf("%s: %v in\n%.200s", filepath.Base(path), err, m[1])
			}
		}
	}
	if found < 8 {
		t.Errorf("only %d blocks were found: they are no longer seen", found)
	}
}
