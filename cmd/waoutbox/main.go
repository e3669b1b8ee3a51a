// Command waoutbox writes every WhatsApp event to a durable outbox and delivers it, signed and in
// order, to webhooks.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	forbidDumps()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal drains, a second one kills
	// Only net/http writes there: what an endpoint sends without being asked, which may be an echo
	// of our own headers, and so of a secret.
	log.SetOutput(io.Discard)
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// ignoreHangup has a SIGHUP do nothing from then on: there is nothing to read anew, and the
// terminal that was closed is not needed. call is told of each.
func ignoreHangup(call func()) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-hangups:
				call()
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(hangups); close(done) }
}

// run executes one command line and returns its exit code. Everything it touches is a parameter, so
// tests run the same code.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	return newEnv(args, getenv, stdin, stdout, stderr).run(ctx)
}
