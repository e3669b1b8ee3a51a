package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"waoutbox/cmd/internal/control"
)

// untilLimit is far more than anything takes that a script waits for.
const untilLimit = time.Minute

// scriptUntil is `until regexp program [args]`: it runs a program until its output matches.
func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until regexp program [args...]")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for began := time.Now(); ; {
		err := ts.Exec(args[1], args[2:]...)
		got := ts.ReadFile("stdout") + ts.ReadFile("stderr")
		if want.MatchString(got) {
			return
		}
		if time.Since(began) > untilLimit {
			ts.Fatalf("%v never matched %s; last: %v\n%s", args[1:], args[0], err, got)
		}
	}
}

// daemonClient returns a client of the script's service.
func daemonClient(ts *testscript.TestScript) *control.Client {
	c := control.NewClient(ts.Getenv("STATE"), agent())
	ts.Defer(c.Close)
	return c
}

// scriptTestListeners is `testlisteners [flags]`: it runs `webhook test` for every webhook.
func scriptTestListeners(ts *testscript.TestScript, neg bool, args []string) {
	hooks, err := daemonClient(ts).Webhooks(context.Background())
	ts.Check(err)
	if neg || len(hooks) == 0 {
		ts.Fatalf("there is no webhook")
	}
	for _, h := range hooks {
		ts.Check(ts.Exec("waoutbox", append([]string{"webhook", "test", h.ID}, args...)...))
	}
}

// scriptKillService is `killservice`: SIGKILL, and its end waited for.
func scriptKillService(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: killservice")
	}
	c := daemonClient(ts)
	d, err := c.Daemon(context.Background())
	ts.Check(err)
	p, err := os.FindProcess(d.PID)
	ts.Check(err)
	ts.Check(p.Kill())
	for began := time.Now(); err == nil; _, err = c.Daemon(context.Background()) {
		if time.Since(began) > untilLimit {
			ts.Fatalf("%s", fmt.Sprint(d.PID, " still answers"))
		}
	}
}

// scriptNotifySocket is `notifysocket socket file`: it listens as systemd does and appends what it
// hears to the file, a line each, until the script ends.
func scriptNotifySocket(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: notifysocket socket file")
	}
	ln, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: ts.MkAbs(args[0]), Net: "unixgram"})
	ts.Check(err)
	out, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b := make([]byte, 256)
		for {
			n, err := ln.Read(b)
			if err != nil {
				return
			}
			fmt.Fprintf(out, "%s\n", b[:n])
		}
	}()
	ts.Defer(func() { ln.Close(); <-ended; out.Close() })
}

// scriptHangup is `hangup`: the service gets a SIGHUP, as of a terminal that is closed.
func scriptHangup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: hangup")
	}
	d, err := daemonClient(ts).Daemon(context.Background())
	ts.Check(err)
	p, err := os.FindProcess(d.PID)
	ts.Check(err)
	ts.Check(p.Signal(syscall.SIGHUP))
}
