package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/demo"
)

// TestDemo: the script of the demo runs to its end, loses nothing, and says so in one line.
func TestDemo(t *testing.T) {
	t.Parallel()
	noteSources(t)
	began := time.Now()
	out, err := exec.CommandContext(t.Context(), binary, "demo", "--once", "--json").Output()
	if err != nil {
		t.Fatalf("demo: %v\n%s", err, out)
	}
	var s demo.Summary
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("demo printed %q: %v", out, err)
	}
	if !s.Linked || s.Lost != 0 || s.DeadLettered < 1 || s.Replayed != s.DeadLettered || s.Retried < 1 || s.Events < 8 ||
		s.Delivered != 2*s.Events || s.SignaturesValid != s.Delivered {
		t.Errorf("demo: %+v", s)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("the demo took %s", took)
	}
}

// TestDemoNamesNoCommandOfItsState: what the story says to run next is run when it has ended, and
// its state is gone. Before, it showed the command that one of its commands had named.
func TestDemoNamesNoCommandOfItsState(t *testing.T) {
	t.Parallel()
	noteSources(t)
	out, err := exec.CommandContext(t.Context(), binary, "demo").Output()
	if err != nil {
		t.Fatalf("demo: %v\n%s", err, out)
	}
	story := string(out)
	if strings.Count(story, "Next: ") != 1 || !strings.HasSuffix(story, "\nNext: with a real phone: waoutbox serve\n") || strings.Contains(story, "--state-dir") {
		t.Errorf("demo:\n%s", story)
	}
}

// TestDemoEndsWithItsReader: when nobody reads any more, the demo ends early and leaves no service
// and no files behind.
func TestDemoEndsWithItsReader(t *testing.T) {
	t.Parallel()
	noteSources(t)
	tmp := shortDir(t)
	cmd := exec.CommandContext(t.Context(), binary, "demo")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("a demo nobody reads ended with success")
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %s to notice", took)
	}
}
