package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"waoutbox/outbox"
)

// TestMain lets the test binary run itself as the processes beside, as wabench does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "receiver" || os.Args[1] == "backlog-child") {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// measured runs wabench at a tiny size and returns its report.
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
	Series []sample `json:"series"`
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
		// not reported by every system
		unknown := strings.Contains(row.Name, "memory") || strings.Contains(row.Name, "written")
		// a difference
		noisy := strings.HasPrefix(row.Name, "added") || strings.Contains(row.Name, "drain") || strings.HasSuffix(row.Name, "a minute")
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
	r := measured(t, "isolation", "--rounds", "1", "--endpoints", "3", "--rate", "50", "--warm", "50ms", "--for", "100ms", "--burst", "20", "--bad", "hang,503,refuse,tls")
	if r.Bench != "isolation" || len(r.Rows) != 25 || r.Settings["endpoints"] != 3.0 {
		t.Errorf("report %+v", r)
	}
	for _, row := range r.Rows {
		if strings.Contains(row.Name, "processor") { // not known everywhere
			continue
		}
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
	r := measured(t, "append", "--rounds", "1", "--for", "60ms", "--known", "2000", "--slower", "100us")
	if len(r.Rows) != 4 || r.Rows[0].Ratio == nil || r.Rows[1].Ratio == nil || r.Rows[2].Ratio == nil || r.Rows[3].Ratio == nil {
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
	if len(r.Rows) != 11 {
		t.Errorf("report %+v", r)
	}
}

func TestRemovedComparesAppendStartAndStatus(t *testing.T) {
	r := measured(t, "removed", "--rounds", "2", "--webhooks", "5", "--batches", "2", "--asks", "2")
	if len(r.Rows) != 8 || r.Settings["removed_webhooks"] != 5.0 {
		t.Fatalf("report %+v", r)
	}
	for _, row := range r.Rows {
		if row.Ratio == nil || row.Ratio.Median <= 0 || len(row.Value.Rounds) != 2 {
			t.Errorf("%s: %+v", row.Name, row)
		}
	}
	for _, row := range r.Rows {
		if row.Verdict == "" && !strings.Contains(row.Name, "first status") {
			t.Errorf("%s is held against nothing", row.Name)
		}
	}
}

// TestRemovedPreparesWhatItNames: an outbox with removed webhooks has their dead letters and
// nothing pending, so that the comparison is about what its name says.
func TestRemovedPreparesWhatItNames(t *testing.T) {
	p, err := startReceivers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	urls, err := p.open(answerOK)
	if err != nil {
		t.Fatal(err)
	}
	// dead letters by webhook in use, or removed with some
	for kind, want := range map[int]map[outbox.SubID]int64{
		withoutRemoved: {subID(0): 0},
		removedEmpty:   {subID(0): 0},
		removedDead:    {subID(0): 0, subID(1): outbox.MaxBatch, subID(2): outbox.MaxBatch},
	} {
		dir := t.TempDir()
		if err := (removed{webhooks: 2}).prepare(t.Context(), dir, urls[0], kind); err != nil {
			t.Fatal(err)
		}
		s, err := openService(t.Context(), dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		stats, err := s.box.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[outbox.SubID]int64{}
		for id, sub := range stats.Subs {
			got[id] = sub.Dead
			if sub.Pending != 0 {
				t.Errorf("kind %d: %s has %d pending", kind, id, sub.Pending)
			}
		}
		holding, err := s.box.WithDead(t.Context(), "", 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, sub := range holding {
			letters, err := s.box.Dead(t.Context(), sub.ID, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range letters {
				got[sub.ID] += int64(max(1, l.Count))
			}
		}
		if n := stats.RemovedDead; n != got[subID(1)]+got[subID(2)] {
			t.Errorf("kind %d: %d dead letters of removed webhooks counted", kind, n)
		}
		if !maps.Equal(got, want) {
			t.Errorf("kind %d: dead letters %v, want %v", kind, got, want)
		}
		list, err := s.box.Removed(t.Context(), "", 10)
		if err != nil || (len(list) == 2) != (kind != withoutRemoved) {
			t.Errorf("kind %d: %d removed webhooks, %v", kind, len(list), err)
		}
	}
}

func TestUsageMistakesAreExitCode2(t *testing.T) {
	for _, args := range [][]string{
		nil, {"nonsense"}, {"isolation", "--nonsense"}, {"isolation", "extra"}, {"isolation", "--rounds", "0"},
		{"isolation", "--endpoints", "1"}, {"isolation", "--bad", "ok"},
		{"deliver", "--subs", "none"}, {"deliver", "--count", "1"}, {"removed", "--webhooks", "0"},
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
	p, err := startReceivers(t.Context())
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

func TestSoakWatchesWhatTheServiceHolds(t *testing.T) {
	r := measured(t, "soak", "--for", "1s", "--every", "100ms", "--rate", "40")
	if len(r.Rows) != 10 || len(r.Series) < 5 || r.Series[4].Appended == 0 || len(r.Series[4].Pending) != 4 {
		t.Errorf("report %+v", r)
	}
}

func TestSlope(t *testing.T) {
	for _, c := range []struct {
		x, y series
		want float64
	}{
		{series{1, 2, 3}, series{5, 7, 9}, 2},
		{series{1, 2, 3, 4}, series{3, 3, 3, 3}, 0},
		{series{1, 2, 3}, series{3, 1, 2}, -0.5},
		{series{1}, series{3}, 0},
	} {
		if got := slopeOf(c.x, c.y); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("the slope of %v is %v, want %v", c.y, got, c.want)
		}
	}
}

func TestKillCountsRepeats(t *testing.T) {
	r := measured(t, "kill", "--rounds", "1", "--kills", "1", "--backlog", "4000")
	if len(r.Rows) != 4 || r.Rows[0].Value == nil || r.Rows[2].Value == nil {
		t.Errorf("report %+v", r)
	}
}

func TestLanesFill(t *testing.T) {
	r := measured(t, "lanes", "--rounds", "1", "--lanes", "2", "--unfinished", "200")
	if len(r.Rows) != 2 {
		t.Errorf("report %+v", r)
	}
}

func TestTheProgramIsNeeded(t *testing.T) {
	for _, command := range []string{"idle", "path", "media", "mcp"} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{command, "--any-disk", "--dir", t.TempDir()}, nil, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), "--program") {
			t.Errorf("%s: exit %d, %q", command, code, errs.String())
		}
	}
}

// TestDocumentsNameCommands: what the documents run of this program is there.
func TestDocumentsNameCommands(t *testing.T) {
	known := map[string]bool{"all": true, "compare": true}
	for _, c := range commands() {
		known[c.name] = true
	}
	named := 0
	for _, name := range []string{"BENCHMARKS.md", "GUARANTEES.md", "MUTATIONS.md"} {
		doc, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?:cmd/|`)wabench ([a-z]+)").FindAllStringSubmatch(string(doc), -1) {
			if named++; !known[m[1]] {
				t.Errorf("%s: wabench has no command %s", name, m[1])
			}
		}
	}
	if named < 15 {
		t.Errorf("only %d commands were found", named)
	}
}
