package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list -json` tells of a package.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

const module = "waoutbox"

// TestBoundaries holds who may import whom. A broken rule names the package, the import and the
// rule.
func TestBoundaries(t *testing.T) {
	pkgs := listPackages(t)
	if len(pkgs) < 10 {
		t.Fatalf("go list found only %d packages", len(pkgs))
	}
	for _, p := range pkgs {
		for _, imp := range p.Imports {
			for _, broken := range brokenRules(p.ImportPath, imp) {
				t.Errorf("%s imports %s: %s", p.ImportPath, imp, broken)
			}
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			if within(imp, "cmd") && !within(p.ImportPath, "cmd") {
				t.Errorf("the tests of %s import %s: nothing imports cmd", p.ImportPath, imp)
			}
		}
	}
}

// TestBoundaryRules proves that the rules can break.
func TestBoundaryRules(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		ok       bool
	}{
		{"waoutbox/outbox", "time", true},
		{"waoutbox/outbox", "golang.org/x/sync/errgroup", false},
		{"waoutbox/outbox", "waoutbox/store", false},
		{"waoutbox/outbox/api", "waoutbox/outbox", false},
		{"waoutbox/outbox/boltbox", "waoutbox/store", true},
		{"waoutbox/outbox/boltbox", "go.etcd.io/bbolt", true},
		{"waoutbox/dispatcher", "go.etcd.io/bbolt", false},
		{"waoutbox/dispatcher", "waoutbox/connection", false},
		{"waoutbox/dispatcher", "waoutbox/store", false},
		{"waoutbox/dispatcher", "net/http", false},
		{"waoutbox/dispatcher/webhook", "net/http", true},
		{"waoutbox/dispatcher/webhook", "waoutbox/dispatcher", true},
		{"waoutbox/connection", "waoutbox/mcptools", false},
		{"waoutbox/connection", "go.mau.fi/whatsmeow/types", true},
		{"waoutbox/connection", "waoutbox/connection/translate", true},
		{"waoutbox/connection/translate", "go.mau.fi/whatsmeow/types/events", true},
		{"waoutbox/connection/translate", "waoutbox/outbox", true},
		{"waoutbox/connection/translate", "waoutbox/connection/wajson", true},
		{"waoutbox/connection/translate", "waoutbox/connection", false},
		{"waoutbox/connection/translate", "waoutbox/outbox/api", false},
		{"waoutbox/connection/wajson", "waoutbox/outbox", false},
		{"waoutbox/connection/wasim", "waoutbox/connection", false},
		{"waoutbox/mcptools", "waoutbox/outbox/api", true},
		{"waoutbox/mcptools", "waoutbox/cmd/internal/control", false},
		{"waoutbox/cmd/internal/control/socket", "github.com/Microsoft/go-winio", true},
		{"waoutbox/cmd/internal/control", "github.com/Microsoft/go-winio", false},
		{"waoutbox/cmd/internal/control/daemon", "waoutbox/cmd/internal/control", true},
		{"waoutbox/cmd/internal/control", "waoutbox/cmd/internal/control/daemon", false},
		{"waoutbox/cmd/internal/control/socket", "waoutbox/cmd/internal/control", false},
		{"waoutbox/cmd/internal/control/daemon", "gopkg.in/natefinch/lumberjack.v2", true},
		{"waoutbox/cmd/waoutbox", "gopkg.in/natefinch/lumberjack.v2", false},
		{"waoutbox/cmd/internal/metrics", "github.com/prometheus/client_golang/prometheus", true},
		{"waoutbox/dispatcher", "github.com/prometheus/client_golang/prometheus", false},
		{"waoutbox/store", "github.com/prometheus/client_golang/prometheus", false},
		{"waoutbox/mcptools", "github.com/mark3labs/mcp-go/mcp", true},
		{"waoutbox/cmd/internal/admin", "github.com/mark3labs/mcp-go/mcp", false},
		{"waoutbox/cmd/internal/admin", "go.mau.fi/whatsmeow", false},
		{"waoutbox/store/device", "go.mau.fi/whatsmeow/store/sqlstore", true},
		{"waoutbox/store", "go.mau.fi/whatsmeow", false},
		{"waoutbox/store", "waoutbox/outbox", false},
		{"waoutbox/store", "waoutbox/store/device", false},
		{"waoutbox/store", "waoutbox/store/failpoint", true},
		{"waoutbox/store/device", "waoutbox/outbox", false},
		{"waoutbox/outbox/boltbox", "waoutbox/cmd/internal/explain", false},
		{"waoutbox/store", "waoutbox/dispatcher", false},
		{"waoutbox/cmd/waoutbox", "github.com/spf13/cobra", true},
		{"waoutbox/cmd/internal/admin", "github.com/spf13/cobra", false},
		{"waoutbox/cmd/internal/config", "github.com/spf13/pflag", false},
		{"waoutbox/cmd/waoutbox", "waoutbox/connection/wasim", false},
		{"waoutbox/cmd/internal/demo", "waoutbox/connection/wasim", true},
		{"waoutbox/cmd/internal/demo", "waoutbox/dispatcher/receiver", true},
		{"waoutbox/cmd/internal/admin", "waoutbox/dispatcher/receiver", false},
		{"waoutbox/cmd/waoutbox", "waoutbox/outbox/outboxtest", false},
		{"waoutbox/cmd/waoutbox", "github.com/cenkalti/backoff/v4", false},
		{"waoutbox/dispatcher", "github.com/cenkalti/backoff/v4", true},
		{"waoutbox/cmd/internal/servicemanager", "github.com/kardianos/service", true},
		{"waoutbox/cmd/waoutbox", "github.com/kardianos/service", false},
	} {
		if broken := brokenRules(tt.from, tt.to); (len(broken) == 0) != tt.ok {
			t.Errorf("%s → %s: %q, want allowed = %v", tt.from, tt.to, broken, tt.ok)
		}
	}
}

// brokenRules returns the rules that an import outside tests breaks.
func brokenRules(from, to string) (broken []string) {
	say := func(rule string) { broken = append(broken, rule) }
	standard := !strings.Contains(strings.Split(to, "/")[0], ".") && !strings.HasPrefix(to, module)
	exactly := func(path string) bool { return from == module+"/"+path }

	// The layers.
	if exactly("outbox") && !standard {
		say("outbox has the standard library only")
	}
	if exactly("outbox/api") && !standard {
		say("outbox/api has the standard library only")
	}
	if within(to, "cmd") && !within(from, "cmd") {
		say("nothing imports cmd")
	}
	for _, one := range []string{"connection", "dispatcher", "mcptools"} {
		for _, other := range []string{"connection", "dispatcher", "mcptools", "store", "outbox/boltbox"} {
			if one != other && within(from, one) && within(to, other) {
				say("connection, dispatcher and mcptools import neither one another nor the storage")
			}
		}
	}
	if within(from, "store") && strings.HasPrefix(to, module) && !strings.HasSuffix(from, "test") && to != module+"/store/failpoint" && to != module+"/store/compact" && to != module+"/store/private" {
		say("store and what lies in it import no package of this project outside it")
	}
	if within(from, "outbox") && (within(to, "connection") || within(to, "dispatcher") || within(to, "mcptools")) {
		say("outbox and its engines lie below their users")
	}
	if exactly("dispatcher") && (to == "net/http" || to == "net") {
		say("dispatcher knows no HTTP; dispatcher/webhook does")
	}
	if within(from, "connection/translate") && strings.HasPrefix(to, module) &&
		!within(to, "connection/wajson") && !within(to, "connection/translate") && to != module+"/outbox" {
		say("connection/translate imports outbox and wajson only")
	}
	for _, alone := range []string{"connection/wajson", "connection/wasim", "connection/whatsappurl", "dispatcher/receiver"} {
		// the simulator's phones have the same Signal library below them, with the same fault
		mended := alone == "connection/wasim" && to == module+"/connection/sessions"
		if within(from, alone) && strings.HasPrefix(to, module) && !within(to, alone) && !mended {
			say(alone + " imports no other package of this project")
		}
	}

	if exactly("cmd/internal/control/socket") && within(to, "cmd/internal/control") ||
		exactly("cmd/internal/control") && within(to, "cmd/internal/control/daemon") {
		say("control/daemon lies above control, control above control/socket")
	}

	// One home per dependency.
	for prefix, homes := range map[string][]string{
		"go.mau.fi/whatsmeow":              {"connection", "store/device"},
		"go.etcd.io/bbolt":                 {"store", "store/compact", "outbox/boltbox"},
		"github.com/mark3labs/mcp-go":      {"mcptools"},
		"github.com/cenkalti/backoff":      {"dispatcher", "connection"},
		"github.com/spf13/cobra":           {"cmd/waoutbox"},
		"github.com/spf13/pflag":           {"cmd/waoutbox"},
		"modernc.org/sqlite":               {"store/device"},
		"code.dny.dev/ssrf":                {"dispatcher/webhook"},
		"github.com/jedib0t/go-pretty":     {"cmd/internal/term"},
		"github.com/mdp/qrterminal":        {"cmd/internal/term"},
		"github.com/Microsoft/go-winio":    {"cmd/internal/control/socket"},
		"gopkg.in/natefinch/lumberjack.v2": {"cmd/internal/control/daemon"},
		"github.com/prometheus":            {"cmd/internal/metrics"},
		"filippo.io/age":                   {"cmd/internal/backup"},
		"github.com/BurntSushi/toml":       {"cmd/internal/mcpclients"},
		"github.com/kardianos/service":     {"cmd/internal/servicemanager"},
	} {
		if to != prefix && !strings.HasPrefix(to, prefix+"/") {
			continue
		}
		if !slices.ContainsFunc(homes, func(home string) bool { return within(from, home) }) {
			say(prefix + " belongs to " + strings.Join(homes, " and "))
		}
	}
	if exactly("store") && strings.HasPrefix(to, "go.mau.fi/whatsmeow") {
		say("whatsmeow's store is opened in store/device")
	}

	// Helpers of tests.
	last := to[strings.LastIndexByte(to, '/')+1:]
	if strings.HasPrefix(to, module) && strings.HasSuffix(last, "test") && !strings.HasSuffix(from, "test") {
		say("test packages are imported by tests only")
	}
	simulated := []string{"cmd/wasim", "cmd/wabench", "cmd/internal/demo", "connection/wasim"}
	if within(to, "connection/wasim") && !slices.ContainsFunc(simulated, func(p string) bool { return within(from, p) }) {
		say("wasim is for tests, cmd/wasim, cmd/wabench and the demo")
	}
	receiving := []string{"cmd/wabench", "cmd/internal/demo", "dispatcher/receiver"}
	if within(to, "dispatcher/receiver") && !slices.ContainsFunc(receiving, func(p string) bool { return within(from, p) }) {
		say("the scriptable receiver is for tests, cmd/wabench and the demo")
	}
	return broken
}

// within reports whether path is the package at dir, or below it.
func within(path, dir string) bool {
	return path == module+"/"+dir || strings.HasPrefix(path, module+"/"+dir+"/")
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = "../.."
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, errs.String())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}
