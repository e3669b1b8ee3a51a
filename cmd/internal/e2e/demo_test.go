package e2e

import (
	"encoding/json"
	"os/exec"
	"testing"
	"time"

	"waoutbox/cmd/internal/demo"
)

// TestDemo: the script of the demo runs to its end within 40 s, loses nothing, and says so in one line.
func TestDemo(t *testing.T) {
	t.Parallel()
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
	if took := time.Since(began); took > 40*time.Second {
		t.Errorf("the demo took %s", took)
	}
}
