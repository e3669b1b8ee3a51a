package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestJudge: only a test that failed has caught a mutation. What does not compile, also within a
// test that builds the program, what hangs and what runs no test shows nothing.
func TestJudge(t *testing.T) {
	exit := errors.New("exit status 1")
	for _, tc := range []struct {
		name, out string
		failed    error
		want      verdict
		by        string
	}{
		{"a test fails", "--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\nFAIL\nFAIL\twaoutbox/store\t0.1s\n", exit, caught, "TestA"},
		{"two fail", "--- FAIL: TestA (0.00s)\n--- FAIL: TestB (0.00s)\nFAIL\n", exit, caught, "TestA TestB"},
		{"the process panics", "panic: no\n\ngoroutine 1 [running]:\nFAIL\twaoutbox/store\t0.1s\n", exit, caught, "(the process ended)"},
		{"nothing fails", "ok  \twaoutbox/store\t0.1s\n", nil, survived, ""},
		{"the package does not compile", "# waoutbox/store [waoutbox/store.test]\nstore/a.go:1:1: declared and not used: x\nFAIL\twaoutbox/store [build failed]\nFAIL\n", exit, doesNotBuild, ""},
		{"what a test builds does not compile", "--- FAIL: TestA (0.00s)\n    a_test.go:1: exit status 1\n        # waoutbox/store\n        store/a.go:1:1: undefined: x\nFAIL\n", exit, doesNotBuild, "TestA"},
		{"a heading of a document is no package", "--- FAIL: TestA (0.00s)\n# waoutbox\nFAIL\n", exit, caught, "TestA"},
		{"it hangs", "panic: test timed out after 4m0s\n\trunning tests:\n\t\tTestA (4m0s)\n", exit, timedOut, "(the process ended)"},
		{"no test of that name", "ok  \twaoutbox/store\t0.1s [no tests to run]\n", nil, runsNoTest, ""},
		{"no tests at all", "?   \twaoutbox/store\t[no test files]\n", nil, runsNoTest, ""},
		{"the command is none", "go: unknown\n", exit, broken, ""},
	} {
		v, by := judge(tc.out, tc.failed)
		if v != tc.want || strings.Join(by, " ") != tc.by {
			t.Errorf("%s: %q by %q, want %q by %q", tc.name, v, by, tc.want, tc.by)
		}
	}
}

// TestSelection: a range of lines, a heading with what stands below it, and words narrow the list,
// each further.
func TestSelection(t *testing.T) {
	block := func(file string) string {
		return "What:\n\n```mutation\n" + file + "\n-old\n+new\ngo test ./store -run TestA$\n```\n\n"
	}
	all, err := parse("# List\n\n## P1: one\n\n```\n# no heading\n```\n\n" + block("a.go") +
		"### Below\n\n" + block("b.go") + "## P2: two\n\n" + block("c.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		section  string
		from, to int
		words    []string
		want     string
	}{
		{want: "a.go b.go c.go"},
		{section: "^P1", want: "a.go b.go"},
		{section: "^Below|^P2", want: "b.go c.go"},
		{section: "no heading", want: ""},
		{from: all[1].at, want: "b.go c.go"},
		{from: all[1].at, to: all[1].at, want: "b.go"},
		{to: all[0].at, want: "a.go"},
		{words: []string{"a.go", "c.go"}, want: "a.go c.go"},
		{section: "^P1", words: []string{"c.go"}, want: ""},
	} {
		var got []string
		for _, m := range all {
			if m.selected(options{section: regexp.MustCompile(tc.section), from: tc.from, to: tc.to, words: tc.words}) {
				got = append(got, m.file)
			}
		}
		if !slices.Equal(got, strings.Fields(tc.want)) {
			t.Errorf("%+v selects %v, want %s", tc, got, tc.want)
		}
	}
	if m := all[0]; m.test() != "TestA" || !slices.Equal(m.packages(), []string{"./store"}) || m.before != "old" || m.after != "new" {
		t.Errorf("parsed %+v", m)
	}
}

// TestSum: the last line has every verdict, and what does not apply was not applied.
func TestSum(t *testing.T) {
	got := sum(map[verdict]int{caught: 3, survived: 1, doesNotApply: 2})
	want := "4 applied, 3 caught, 1 survived, 0 timed out, 2 does not apply, 0 does not build, 0 runs no test, 0 red before, 0 broken"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
