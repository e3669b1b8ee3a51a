package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// update rewrites testdata/golden, and what the scripts in testdata/script compare: go test
// ./cmd/waoutbox -update, then read the difference.
var update = flag.Bool("update", false, "rewrite testdata/golden and testdata/script")

// goldenCase is one command line: what the service is like, what stands on stdin, and the
// arguments.
type goldenCase struct {
	name  string
	fake  func() *fakeService
	stdin string
	args  string
}

func (tt goldenCase) run(t *testing.T) {
	t.Helper()
	t.Run(tt.name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			// the bubble's clock starts at midnight; noon has a today. No time passes
			<-time.After(12 * time.Hour)
			f := tt.fake()
			res := invoke(t, f, tt.stdin, strings.Fields(tt.args)...)
			compareGolden(t, tt.name, fmt.Sprintf("$ waoutbox %s\n%s--- stderr\n%s--- exit %d\n", tt.args, res.out, res.err, res.code))
			runNext(t, f, res)
		})
	})
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
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
		t.Errorf("the output changed; if that is wanted, run the test with -update.\ngot:\n%s\nwant:\n%s", got, want)
	}
}
