package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// reports writes a file with one report a line.
func reports(t *testing.T, of ...report) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "reports.jsonl")
	var b bytes.Buffer
	for _, r := range of {
		if err := r.writeJSON(&b); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCompareTakesMediansAndKnowsWhatIsBetter(t *testing.T) {
	one := func(rate, latency float64) report {
		return report{Bench: "x", Rows: []row{
			ratio("1", "rate", "/s", series{rate}, series{10}, 0, 0, false),
			{Name: "latency", Unit: "ms", Value: series{latency}, Lower: true},
		}}
	}
	before := reports(t, one(100, 2), one(1, 2), one(100, 2))
	after := reports(t, one(90, 1), one(90, 1), report{Bench: "x", Rows: []row{{Name: "fresh", Value: series{1}}}})
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"compare", before, after}, nil, &out, &errs); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	for _, want := range []string{
		// the ratio's median, not its mean; lower than before
		`x +rate +10\.0 +9\.00 +0\.900 .*SLOWER`,
		`x +latency +2\.00 +1\.00 +2\.00 `, // half the time is twice the speed
		`x +fresh +– +1\.00 +new`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Count(out.String(), "SLOWER") != 1 {
		t.Errorf("called slower without being it:\n%s", out.String())
	}
}

func TestCompareRefusesWhatItCannotRead(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[int][]string{exitUsage: {"compare", broken}, exitFailed: {"compare", broken, broken}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, nil, &out, &errs); code != want || errs.Len() == 0 {
			t.Errorf("%v: exit %d, want %d: %s", args, code, want, errs.String())
		}
	}
}
