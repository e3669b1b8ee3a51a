package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary run itself as the processes beside, as wabench does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "receiver" || os.Args[1] == "backlog-child") {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// measured runs wabench at a tiny size and answers its report.
func measured(t *testing.T, args ...string) (r struct {
	Bench    string         `json:"bench"`
	Machine  machine        `json:"machine"`
	Settings map[string]any `json:"settings"`
	Rows     []struct {
		Name  string
		Value *struct {
			Median float64
			Rounds []float64
		}
		Ratio   *struct{ Median float64 }
		Verdict string
	} `json:"rows"`
}) {
	t.Helper()
	dir := t.TempDir()
	var out, errs bytes.Buffer
	args = append(args, "--json", "--any-disk", "--dir", dir, "--timeout", "1m")
	if code := run(t.Context(), args, nil, &out, &errs); code != exitOK {
		t.Fatalf("wabench %v: exit %d\n%s", args, code, errs.String())
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	for _, row := range r.Rows {
		unknown := strings.Contains(row.Name, "memory") || strings.Contains(row.Name, "written") // not told by every system
		noisy := strings.HasPrefix(row.Name, "added")                                            // a difference
		if row.Value == nil || row.Value.Median <= 0 && !unknown && !noisy {
			t.Errorf("%s: nothing was measured", row.Name)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	return r
}

func TestIsolationMeasuresEveryKindOfBadEndpoint(t *testing.T) {
	r := measured(t, "isolation", "--rounds", "1", "--endpoints", "3", "--rate", "50", "--warm", "50ms", "--for", "100ms", "--burst", "20")
	if r.Bench != "isolation" || len(r.Rows) != 12 || r.Settings["endpoints"] != 3.0 {
		t.Errorf("report %+v", r)
	}
	for _, row := range r.Rows {
		if row.Ratio == nil || row.Ratio.Median <= 0 || len(row.Value.Rounds) != 1 {
			t.Errorf("%s: %+v", row.Name, row)
		}
	}
}

func TestDeliverMeasuresBothNumbersOfSubscriptions(t *testing.T) {
	r := measured(t, "deliver", "--rounds", "1", "--count", "100")
	if len(r.Rows) < 4 || r.Rows[0].Ratio == nil || r.Rows[0].Ratio.Median <= 0 || r.Rows[0].Verdict == "" {
		t.Errorf("report %+v", r)
	}
}

func TestAppendMeasuresOneAndManyWriters(t *testing.T) {
	r := measured(t, "append", "--rounds", "1", "--for", "60ms")
	if len(r.Rows) != 2 || r.Rows[0].Ratio == nil || r.Rows[1].Ratio == nil {
		t.Errorf("report %+v", r)
	}
}

func TestLatencyMeasuresAgainstPostAndDisk(t *testing.T) {
	r := measured(t, "latency", "--rounds", "1", "--rate", "100", "--for", "100ms")
	if len(r.Rows) != 4 || r.Rows[0].Ratio == nil {
		t.Errorf("report %+v", r)
	}
}

func TestWrittenCountsBytes(t *testing.T) {
	args := []string{"written", "--rounds", "1", "--count", "100", "--writers", "8", "--slow", "1s"}
	if _, ok := writtenBytes(); !ok {
		var out, errs bytes.Buffer
		if code := run(t.Context(), append(args, "--any-disk", "--dir", t.TempDir()), nil, &out, &errs); code != exitFailed || !strings.Contains(errs.String(), "Linux") {
			t.Errorf("exit %d, %q", code, errs.String())
		}
		return
	}
	r := measured(t, args...)
	if len(r.Rows) != 3 || r.Rows[0].Verdict == "" {
		t.Errorf("report %+v", r)
	}
}

func TestBacklogSurvivesTheKillAndIsDelivered(t *testing.T) {
	r := measured(t, "backlog", "--rounds", "1", "--events", "1000")
	if len(r.Rows) != 7 {
		t.Errorf("report %+v", r)
	}
}

func TestUsageMistakesAreExitCode2(t *testing.T) {
	for _, args := range [][]string{
		nil, {"nonsense"}, {"isolation", "--nonsense"}, {"isolation", "extra"}, {"isolation", "--rounds", "0"},
		{"isolation", "--endpoints", "1"}, {"isolation", "--bad", "ok"},
		{"deliver", "--subs", "none"}, {"deliver", "--count", "1"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, nil, &out, &errs); code != exitUsage || errs.Len() == 0 {
			t.Errorf("wabench %v: exit %d, %q", args, code, errs.String())
		}
	}
}

func TestHelpGoesToStdout(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, nil, &out, &errs); code != exitOK || !strings.Contains(out.String(), "isolation") {
		t.Errorf("exit %d, %q", code, out.String())
	}
}

func TestTimeoutEndsEverythingAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	var out, errs bytes.Buffer
	args := []string{"isolation", "--dir", dir, "--timeout", "300ms", "--for", "1m", "--json", "--any-disk"}
	if code := run(t.Context(), args, nil, &out, &errs); code != exitFailed || !strings.Contains(errs.String(), "--timeout") {
		t.Errorf("exit %d, %q", code, errs.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

func TestEndpointCountsDistinctSignedEvents(t *testing.T) {
	p, err := startSink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}()
	urls, err := p.open(answerOK, answer503)
	if err != nil {
		t.Fatal(err)
	}
	client := newRawClient(1)
	defer client.close()
	for _, seq := range []int{1, 2, 2, 3} {
		if err := client.post(t.Context(), urls[0], seq, body(time.Now())); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.post(t.Context(), urls[1], 1, body(time.Now())); err == nil {
		t.Error("a 503 passed for a delivery")
	}
	if err := p.wait(1, 3, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	got, err := p.take(true)
	if err != nil {
		t.Fatal(err)
	}
	if g := got[0]; g.Posts != 4 || g.Distinct != 3 || len(g.Latencies) != 3 || g.Last <= g.First {
		t.Errorf("counted %+v", g)
	}
	if err := p.wait(1, 4, 10*time.Millisecond); err == nil || !strings.Contains(err.Error(), "3 of 4") {
		t.Errorf("a wait for too many: %v", err)
	}
	if err := p.reset(); err != nil {
		t.Fatal(err)
	}
	if got, err = p.take(true); err != nil || got[0].Posts != 0 || got[0].Distinct != 0 || len(got[0].Latencies) != 0 {
		t.Errorf("after reset %+v, %v", got, err)
	}
	if _, err := p.open("nonsense"); err == nil {
		t.Error("an unknown answer was opened")
	}
}

func TestWronglySignedPostsAreAnError(t *testing.T) {
	e, err := openEndpoint(answerOK)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	client := newRawClient(1)
	defer client.close()
	b := body(time.Now())
	if err := client.send(t.Context(), e.url, 1, b, "sha256=00"); err != nil {
		t.Fatal(err)
	}
	if got := e.take(false); got.Invalid != 1 || got.Distinct != 0 {
		t.Errorf("counted %+v", got)
	}
}

func TestEndpointThatRefuses(t *testing.T) {
	e, err := openEndpoint(answerRefuse)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	client := newRawClient(1)
	defer client.close()
	if err := client.post(t.Context(), e.url, 1, body(time.Now())); err == nil {
		t.Error("somebody listens")
	}
}

func TestBodyHasItsSizeAndTime(t *testing.T) {
	now := time.Now()
	b := body(now)
	if len(b) != bodySize || !json.Valid(b) {
		t.Fatalf("%d bytes, valid %v", len(b), json.Valid(b))
	}
	if at, ok := sentAt(b); !ok || !at.Equal(now) {
		t.Errorf("%v, %v, want %v", at, ok, now)
	}
	if _, ok := sentAt([]byte("{}")); ok {
		t.Error("a time was found where there is none")
	}
}

func TestPacedKeepsItsBeatAndEnds(t *testing.T) {
	n := 0
	if err := paced(t.Context(), 1000, 5, func(int) { n++ }); err != nil || n != 5 {
		t.Errorf("%d beats, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := paced(ctx, 1000, 5, func(int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Error(fmt.Errorf("after its context ended: %w", err))
	}
}
