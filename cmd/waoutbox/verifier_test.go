package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"waoutbox/connection/wajson/wajsontest"
)

const (
	verifyBody   = `{"event":"message.received","timestamp":1735689615417,"data":{"text":"häuser <&> 漢"}}`
	verifySecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// TestVerifiersAcceptTheSignatureAndNothingElse runs the printed code: Go's always, Node's and
// Python's where they are installed.
func TestVerifiersAcceptTheSignatureAndNothingElse(t *testing.T) {
	t.Parallel()
	mac := hmac.New(sha256.New, []byte(verifySecret))
	mac.Write([]byte(verifyBody))
	good := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	// One process a language judges all of them, a line each.
	headers := []string{good, "", "sha256=", "sha256=00", good[:len(good)-1] + "x", good + "0", hex.EncodeToString(mac.Sum(nil))}
	want := "true" + strings.Repeat("\nfalse", len(headers)-1)

	goBin, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	run := func(name string, files map[string]string, argv ...string) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "BODY="+verifyBody, "HEADERS="+strings.Join(headers, "\n"), "WEBHOOK_SECRET="+verifySecret)
			out, err := cmd.CombinedOutput()
			if got := string(bytes.TrimSpace(out)); err != nil || got != want {
				t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
			}
		})
	}

	// The snippets start a server when run; a second file calls their verify alone.
	build := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module verify\n\ngo 1.26\n", "main.go": verifyGo,
		"check.go": "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\t\"strings\"\n)\n\nfunc init() {\n\tfor _, h := range strings.Split(os.Getenv(\"HEADERS\"), \"\\n\") {\n\t\tfmt.Println(verify([]byte(os.Getenv(\"BODY\")), h, os.Getenv(\"WEBHOOK_SECRET\")))\n\t}\n\tos.Exit(0)\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(build, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), goBin, "build", "-o", "verify.exe", ".")
	cmd.Dir = build
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run("go", nil, filepath.Join(build, "verify.exe"))

	if node := wajsontest.NodePath(t); node != "" {
		run("node", map[string]string{"v.js": verifyNode + "\nconst E = process.env;\nfor (const h of E.HEADERS.split('\\n')) console.log(verify(Buffer.from(E.BODY), h, E.WEBHOOK_SECRET));\nprocess.exit(0);\n"}, node, "v.js")
	}
	if python, err := exec.LookPath("python3"); err == nil {
		run("python", map[string]string{"v.py": verifyPython, "check.py": "import os, v\nE = os.environ\nfor h in E['HEADERS'].split('\\n'):\n    print(str(v.verify(E['BODY'].encode(), h, E['WEBHOOK_SECRET'])).lower())\n"}, python, "check.py")
	}
}
