package main

import (
	"context"
	"io"
	"os"

	"waoutbox/cmd/internal/control/daemon"
	"waoutbox/cmd/internal/servicemanager"
)

// serveAsService runs serve as the service of Windows that this process was started as. It has no
// streams: it logs to serve.log, and serve.err takes the rest. Wrong settings end it for good;
// after any other error its manager starts it again.
func serveAsService(ctx context.Context, e *env, newOutbox bool) error {
	stderr, err := daemon.OpenStderr(e.stateDir)
	if err != nil {
		return err
	}
	// it stays open: the error that ends this process is reported there
	e.stdout, e.stderr = io.Discard, stderr
	return servicemanager.RunAsService(ctx, servicemanager.Work{
		Run: func(ctx context.Context, ready func()) error {
			e.ready = ready
			return serve(ctx, e, newOutbox, nil)
		},
		Final: func(err error) bool { return exitCode(err) == exitUsage },
		Crash: func(err error) {
			e.report(err)
			os.Exit(exitCode(err))
		},
		Stderr: stderr,
	})
}
