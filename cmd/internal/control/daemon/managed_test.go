package daemon

import (
	"context"
	"errors"
	"testing"

	"waoutbox/cmd/internal/control"
	"waoutbox/outbox/api"
)

// Where a service manager has the daemon, nothing is spawned: it is asked to start it, and what it
// says is passed on.
//
// Mutation of ensure.go: a service that is spawned beside the one that is installed.
func TestAnInstalledServiceIsStarted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		managed bool
		err     error
		args    []string
		want    api.Code
	}{
		"it fails":          {managed: true, err: errors.New("unit not found"), want: CodeStartFailed},
		"it takes no flags": {managed: true, args: []string{"--http=127.0.0.1:1"}, want: api.CodeInvalidArguments},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			_, err := Ensure(t.Context(), Options{
				StateDir: t.TempDir(), Executable: "/nothing/is/spawned", Args: tt.args, Agent: control.Agent{Name: "test"},
				Managed: func(context.Context) (bool, error) { asked++; return tt.managed, tt.err },
			})
			if api.CodeOf(err) != tt.want || asked != 1 {
				t.Errorf("%v (%s), asked %d times", err, api.CodeOf(err), asked)
			}
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	_, err := Ensure(ctx, Options{
		StateDir: t.TempDir(), Executable: "/nothing/is/spawned", Agent: control.Agent{Name: "test"},
		Managed: func(context.Context) (bool, error) { stop(); return true, nil },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a service that the manager started is not waited for: %v", err)
	}
}
