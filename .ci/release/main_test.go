package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAReleaseOfGoThatCannotBeFetched: a release says which Go it wants and what to do. It said
// "build for linux_amd64: exit status 1".
func TestAReleaseOfGoThatCannotBeFetched(t *testing.T) {
	t.Setenv("GOTOOLCHAIN", "local")
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Chdir("testdata/anothergo")
	var r release
	err := r.pinGo()
	if err == nil || !strings.Contains(err.Error(), "go1.26.99") || !strings.Contains(err.Error(), "-check") {
		t.Errorf("%v: want the release of Go, and what can be done without it", err)
	}
}

// TestLinksOfAnArchive: what README.md and the documents link to is in the archive beside them. It
// had README.md alone, and all its links led nowhere.
func TestLinksOfAnArchive(t *testing.T) {
	t.Chdir("../..")
	files, err := documents()
	if err != nil {
		t.Fatal(err)
	}
	if err := checkLinks(files); err != nil {
		t.Error(err)
	}
	if err := checkLinks(files[:1]); err == nil {
		t.Error("README.md alone has links that lead nowhere, and that was not noticed")
	}
}
