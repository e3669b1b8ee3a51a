package main

import (
	"bytes"
	"strings"
	"testing"
)

// runReal runs a command on the state in a directory, in this process, and returns what it printed.
func runReal(t *testing.T, dir string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	e := newEnv(append(args, "--state-dir", dir), func(string) string { return "" }, strings.NewReader(""), &out, &errs)
	if code := e.run(t.Context()); code != 0 {
		t.Fatalf("%q: exit %d, %s", args, code, errs.String())
	}
	if errs.Len() > 0 {
		t.Errorf("%q: %s", args, errs.String())
	}
	return out.String()
}

// A setting that the command line changes is on record, by whoever changed it.
//
// Mutation of setting_change.go: a setting is changed, and nobody knows by whom.
func TestASettingThatIsChangedIsRecorded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	runReal(t, dir, "webhook", "add", "http://127.0.0.1:1/hook")
	runReal(t, dir, "config", "set", "max-sends", "7")
	runReal(t, dir, "webhook", "allow", "a.example")
	runReal(t, dir, "config", "set", "max-sends", "10")
	runReal(t, dir, "config", "set", "max-sends", "10")
	runReal(t, dir, "config", "unset", "max-sends")
	got := runReal(t, dir, "audit", "--json")
	for _, want := range []string{
		`"caller":"cli","client_version":"` + version + `","operation":"setting.set","object":"max-sends","result":"10, was 7","outcome":"done"`,
		`"operation":"setting.unset","object":"max-sends","result":"unset, was 10","outcome":"done"`,
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("the trail is %s, want once %s", got, want)
		}
	}
	if lines := strings.Count(got, "\n"); lines != 5 {
		t.Errorf("the trail has %d records: %s", lines, got)
	}
}
