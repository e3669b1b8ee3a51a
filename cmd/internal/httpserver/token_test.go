package httpserver

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// Mutation of token.go: the token's file is read whatever its length.
// Mutation of token.go: an empty file is a token that everybody has.
func TestToken(t *testing.T) {
	t.Parallel()
	token := TokenIn(t.TempDir())
	if _, err := token.matches(""); err == nil {
		t.Error("a token that is not there was compared")
	}
	if made, err := token.Make(); !made || err != nil {
		t.Fatal(made, err)
	}
	first, err := os.ReadFile(token.Path())
	if err != nil || len(first) < 40 {
		t.Fatalf("%q, %v", first, err)
	}
	if err := os.Chmod(token.Path(), 0o644); err != nil {
		t.Fatal(err)
	}
	if made, err := token.Make(); made || err != nil {
		t.Error(made, err)
	}
	if info, err := os.Stat(token.Path()); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	given := string(first[:len(first)-1])
	for text, want := range map[string]bool{given: true, given + "x": false, "": false, given[1:]: false} {
		if got, err := token.matches(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if err := token.Rotate(); err != nil {
		t.Fatal(err)
	}
	if got, err := token.matches(given); got || err != nil {
		t.Errorf("the one before: %v, %v", got, err)
	}
	// the file is read up to a bound, at every request
	long := given + strings.Repeat(" ", maxToken)
	if err := os.WriteFile(token.Path(), []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := token.matches(given); got || err == nil {
		t.Errorf("a file of %d bytes: %v, %v", len(long), got, err)
	}
	for _, empty := range []string{"", "\n", "short"} { // nobody has the token of an empty file
		if err := os.WriteFile(token.Path(), []byte(empty), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := token.matches(empty); got || err == nil {
			t.Errorf("%q: %v, %v", empty, got, err)
		}
	}
}
