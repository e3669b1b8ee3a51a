package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// goroutines says of each function of the service that starts a goroutine who contains a panic in
// it: outside a goroutine that is contained, a panic ends the process.
var goroutines = map[string]string{
	"cmd/internal/admin/replay/runs.go Start":            "follow, which ends the replay",
	"cmd/internal/control/server.go Serve":               "net/http serves; each call is contained by serveHTTP",
	"cmd/internal/control/server_stop.go waitAtMost":     "it waits only",
	"cmd/internal/httpserver/server.go serve":            "net/http serves; each request is contained",
	"cmd/internal/page/groupnames.go of":                 "groupName, which gives it what is contained",
	"cmd/internal/page/pairing.go pair":                  "contained",
	"cmd/internal/page/search.go begin":                  "contained; the other one waits only",
	"cmd/internal/parent/parent.go Watch":                "it waits only",
	"cmd/internal/servicemanager/run_windows.go Execute": "nobody: it is the main one of a service of Windows, and runs serve",
	"cmd/waoutbox/examine.go reach":                      "contained",
	"cmd/waoutbox/main.go ignoreHangup":                  "it waits only",
	"cmd/waoutbox/parts.go runParts":                     "contained, both",
	"connection/client.go Run":                           "recovered there",
	"connection/decryptions/commit.go begin":             "commitAll",
	"connection/groups.go join":                          "storeGroup",
	"connection/groups.go awaitFor":                      "it waits only",
	"connection/guard/guard.go Handlers":                 "recovered, and the library for what it dispatches",
	"connection/guard/turn.go read":                      "recovered in what it is given by Handlers",
	"connection/media/kept/run.go Run":                   "contain, each step of each",
	"connection/pair.go runPairing":                      "it waits only",
	"connection/pairing/ask.go take":                     "contained",
	"connection/pairing/ask.go onConfirmation":           "contained",
	"connection/panics.go beside":                        "recovered there",
	"connection/send.go startSend":                       "containSend",
	"connection/session.go connect":                      "contained",
	"connection/session.go ping":                         "contained; the other one waits only",
	"dispatcher/admin.go doOffline":                      "guarded",
	"dispatcher/attempt.go startAttempts":                "guarded, each attempt",
	"dispatcher/dispatcher.go launch":                    "once, of the supervisor",
	"dispatcher/fetch.go fetch":                          "guarded",
	"dispatcher/lease.go tellGap":                        "guarded",
	"dispatcher/operation.go serve":                      "run, of the operation",
	"dispatcher/webhook/http1/exchange.go write":         "it writes bytes to a connection only",
	"mcptools/call.go attempt":                           "recovered there",
	"mcptools/server.go waitForCalls":                    "it waits only",
	"mcptools/stdio/extension.go close":                  "it waits only",
	"mcptools/stdio/extension.go take":                   "contain, of mcpevents",
	"mcptools/stdio/extension.go stream":                 "contain, of mcpevents",
	"mcptools/streamable/batch.go batch":                 "one, each message",
	"store/db.go Open":                                   "guarded, each step that runs what others give it",
}

// ofNoService are packages of which the service runs nothing.
var ofNoService = []string{
	".ci/", "cmd/wabench/", "cmd/wasim/", "cmd/internal/demo/", "cmd/internal/listener/", "cmd/internal/term/", "connection/wasim/", "connection/wire/proxytest/", "dispatcher/receiver/", "outbox/outboxtest/",
	"cmd/internal/control/daemon/", "cmd/waoutbox/cmd_open.go", "cmd/waoutbox/pair_",
}

// TestEveryGoroutineIsContained: whoever starts a goroutine in the service says who contains a
// panic in it.
//
// Mutation of cmd/internal/parent/parent.go: a goroutine is started of which nobody says who
// contains a panic in it.
func TestEveryGoroutineIsContained(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, name := range repositoryFiles(t, ".go") {
		if strings.HasSuffix(name, "_test.go") || outside(name) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(repository, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && startsGoroutine(f) {
				found[name+" "+f.Name.Name] = true
			}
		}
	}
	for at := range found {
		if goroutines[at] == "" {
			t.Errorf("%s starts a goroutine, and the table does not say who contains a panic in it", at)
		}
	}
	for at := range goroutines {
		if !found[at] {
			t.Errorf("%s starts no goroutine", at)
		}
	}
}

func outside(name string) bool {
	for _, p := range ofNoService {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func startsGoroutine(f *ast.FuncDecl) (starts bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			starts = true
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			starts = starts || ok && sel.Sel.Name == "Go"
		}
		return true
	})
	return starts
}
