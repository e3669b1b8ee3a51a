package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waoutbox/mcptools"
	"waoutbox/outbox/api"
)

// Whatever keeps the service from running is service_unavailable to an agent, in the words that
// say how to mend it; a call that was given up is not.
//
// Mutation of cmd_mcp.go: what keeps the service from starting is told as if the call were wrong.
func TestServiceIsUnavailable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e := newEnv(nil, func(string) string { return "" }, nil, nil, nil)
	e.stateDir = filepath.Join(file, "state")
	_, err := e.agentBackend(t.Context(), mcptools.ClientInfo{}, false)
	if api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), file) {
		t.Errorf("a directory that cannot be: %v (%s)", err, api.CodeOf(err))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.agentBackend(ctx, mcptools.ClientInfo{}, false); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that was given up: %v", err)
	}
	for err, want := range map[error]bool{api.Retryf(api.CodeInternal, "x"): true, api.Errorf(api.CodeInternal, "x"): false, errors.New("x"): false} {
		got, ok := errors.AsType[*api.Error](unavailable(err))
		if !ok || got.Code != api.CodeServiceUnavail || got.Message != "x" || got.Retryable != want {
			t.Errorf("%#v became %#v", err, got)
		}
	}
}
