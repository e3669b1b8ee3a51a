package metrics

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// series are the names of metrics in an expression of Prometheus, and what it selects by.
var (
	series   = regexp.MustCompile(`waoutbox_[a-z_]+`)
	selected = regexp.MustCompile(`(?:by \(|[{,]\s*)([a-z_]+)(?:[=,)!]|\s*=)`)
)

// TestGrafanaNamesWhatThereIs: the dashboard and the alert rules read metrics and labels that the
// service has, and the rules are those of docs/METRICS.md.
func TestGrafanaNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "METRICS.md"))
	if err != nil {
		t.Fatal(err)
	}
	known, labels := map[string]bool{}, map[string]bool{"le": true, "file": true, "job": true}
	for _, m := range regexp.MustCompile("(?m)^\\| `(waoutbox_[a-z_]+)` \\| (\\w+) \\| ([^|]*) \\|").FindAllStringSubmatch(string(doc), -1) {
		known[m[1]] = true
		if m[2] == string(kindHistogram) {
			known[m[1]+"_bucket"] = true
		}
		for _, l := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(m[3], -1) {
			labels[l[1]] = true
		}
	}
	if len(known) < 20 {
		t.Fatalf("docs/METRICS.md has only %d metrics", len(known))
	}
	check := func(what, expr string) {
		for _, name := range series.FindAllString(expr, -1) {
			if !known[name] {
				t.Errorf("%s: there is no %s", what, name)
			}
		}
		for _, l := range selected.FindAllStringSubmatch(expr, -1) {
			if !labels[l[1]] {
				t.Errorf("%s: no metric has the label %s: %s", what, l[1], expr)
			}
		}
	}
	dir := filepath.Join("..", "..", "..", "docs", "grafana")
	raw, err := os.ReadFile(filepath.Join(dir, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	if len(board.Panels) < 10 {
		t.Errorf("the dashboard has %d panels", len(board.Panels))
	}
	for _, p := range board.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("%s reads nothing", p.Title)
		}
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
	rules, err := os.ReadFile(filepath.Join(dir, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)expr: (.*)$`).FindAllStringSubmatch(string(rules), -1) {
		check("alerts.yml", m[1])
	}
	if !strings.Contains(string(doc), "```yaml\n"+string(rules)+"```") {
		t.Error("the rules in docs/METRICS.md are not those of docs/grafana/alerts.yml")
	}
}
