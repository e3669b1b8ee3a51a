package socket

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// One pipe for a directory however it is written, another one for another directory or user, and a
// name that Windows takes.
//
// Mutation of pipe_name.go: two states have one pipe on Windows.
func TestPipeName(t *testing.T) {
	const sid = "S-1-5-21-3623811015-3361044348-30300820-1013"
	want := pipeName(sid, `C:\Users\Alice Ä\.waoutbox`)
	if !regexp.MustCompile(`^\\\\\.\\pipe\\waoutbox-S-1-5-21-3623811015-3361044348-30300820-1013-[0-9a-f]{16}$`).MatchString(want) {
		t.Errorf("the pipe is %s", want)
	}
	for _, same := range []string{
		`c:\users\alice ä\.waoutbox`, `C:\USERS\ALICE Ä\.WAOUTBOX`, `C:/Users/Alice Ä/.waoutbox`, `C:\Users\Alice Ä\.waoutbox\`, `\\?\C:\Users\Alice Ä\.waoutbox`,
	} {
		if got := pipeName(sid, same); got != want {
			t.Errorf("%s has the pipe %s, want %s", same, got, want)
		}
	}
	if share := pipeName(sid, `\\server\share\state`); share != pipeName(sid, `\\?\UNC\server\share\state`) {
		t.Errorf("a share has two pipes")
	}
	seen := map[string]string{want: "the first"}
	for _, other := range []struct{ sid, dir string }{
		{sid, `C:\Users\Alice Ä\.waoutbox2`}, {sid, `C:\Users\Alice Ä`}, {sid, `D:\Users\Alice Ä\.waoutbox`}, {sid, `\\server\share\state`},
		{strings.TrimSuffix(sid, "3") + "4", `C:\Users\Alice Ä\.waoutbox`},
	} {
		got := pipeName(other.sid, other.dir)
		if seen[got] != "" {
			t.Errorf("%v has the pipe of %s", other, seen[got])
		}
		seen[got] = other.dir
	}
	longest := "S-1-281474976710655" + strings.Repeat("-4294967295", 15)
	if n := len(pipeName(longest, `C:\`+strings.Repeat("x", 30_000))); n > maxPipeName {
		t.Errorf("a pipe's name of %d characters", n)
	}
}

// The pipe lets its user in, nobody else, and nobody from another machine: the refusal comes first.
// That of a service of Windows lets the system and administrators in as well.
//
// Mutation of pipe_name.go: the pipe of Windows lets everybody in.
// Mutation of pipe_name.go: the pipe of every user of Windows lets administrators in.
func TestPipeAccess(t *testing.T) {
	for sid, more := range map[string][]string{"S-1-5-21-1-2-3-1013": nil, "S-1-5-80-1-2-3-4-5": {"A;;GA;;;SY", "A;;GA;;;BA"}} {
		got := pipeAccess(sid)
		if !strings.HasPrefix(got, "O:"+sid+"D:P(") {
			t.Errorf("%s inherits, or is another's", got)
		}
		var rules []string
		for _, rule := range regexp.MustCompile(`\(([^)]*)\)`).FindAllStringSubmatch(got, -1) {
			rules = append(rules, rule[1])
		}
		if want := append([]string{"D;;GA;;;NU", "A;;GA;;;" + sid}, more...); !slices.Equal(rules, want) {
			t.Errorf("the rules are %q, want %q", rules, want)
		}
	}
}
