package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/demo"
	"waoutbox/cmd/internal/term"
)

func newDemoCmd(e *env) *cobra.Command {
	var once, stay bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: no phone, no internet",
		Long: `Starts a WhatsApp simulator, two receivers (one works, one fails for a while) and the
service, all on this machine. Contacts write; every event is shown on its way: arrived,
stored, delivered, retried after 1, 3 and 10 s, dead-lettered, replayed. On the way the
service is killed with SIGKILL and started again. It takes about 20 s and leaves nothing.`,
		Example:     "  waoutbox demo\n  waoutbox demo --once --json    one line of JSON; exit 0 only if nothing was lost\n  waoutbox demo --stay           keep it running afterwards, to try the other commands on",
		Args:        noArguments,
		Annotations: stateless,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if once && stay {
				return usagef("--once ends after the story and --stay does not: choose one")
			}
			return runDemo(cmd, e, stay)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "run the story to its end and exit (the default; for scripts)")
	cmd.Flags().BoolVar(&stay, "stay", false, "keep simulator, receivers and service running afterwards, until Ctrl-C")
	return cmd
}

func runDemo(cmd *cobra.Command, e *env, stay bool) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to run it as the service: %w", err)
	}
	// A reader that goes away (`demo | head`) must not kill this process before it has ended the
	// service it started: writes fail instead, and the first that does ends the story.
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	o := demo.Options{Executable: exe, Stay: stay, Ready: func(h demo.Hints) {
		e.printf("\nStill running, until Ctrl-C. In another terminal:\n  %s\n  %s\n  curl %s/        (the simulator's control API)\n",
			term.Command(h.StateDir, "status"), term.Command(h.StateDir, "deadletter list"), h.ControlURL)
	}}
	if !e.json {
		e.printWrapped(0, "A WhatsApp server, two receivers and waoutbox, all on this machine. No phone, no internet.")
		e.printf("\n")
		var mu sync.Mutex
		var last time.Time
		o.Show = func(l demo.Line) {
			mu.Lock()
			defer mu.Unlock()
			last = demoTime(l, last)
			if e.demoLine(l, last); e.written.err != nil {
				cancel()
			}
		}
	}
	sum, err := demo.Run(ctx, o)
	if e.json {
		e.printJSON(sum)
		return err
	}
	if err != nil {
		return err
	}
	e.printf("\n")
	e.printWrapped(0, "%d events, %d deliveries, %d retried, %d dead-lettered and %d replayed, %d lost.",
		sum.Events, sum.Delivered, sum.Retried, sum.DeadLettered, sum.Replayed, sum.Lost)
	e.next("with a real phone: %s serve", selfName())
	return nil
}

// demoTime is the time beside a step of the story: what is told a moment after it happened stands
// below what happened later, and the times never go back.
func demoTime(l demo.Line, last time.Time) time.Time {
	at := l.At
	if at.IsZero() {
		at = time.Now()
	}
	if at.Before(last) {
		return last
	}
	return at
}

// demoLine prints one step of the story.
func (e *env) demoLine(l demo.Line, at time.Time) {
	word := fmt.Sprintf("%-10s", l.Word)
	switch {
	case l.Good:
		word = e.style.Green(word)
	case strings.HasPrefix(l.Word, "attempt"), l.Word == "dead", l.Word == "killed":
		word = e.style.Yellow(word)
	}
	const hang = 23 // where the text begins
	text := l.Text
	if l.Word == "" && e.width > 0 { // of a table, which would be none any more
		text = term.End(text, e.width-hang)
	}
	e.printWrapped(hang, " %s  %s  %s", at.In(e.loc).Format("15:04:05"), word, text)
}

// selfName is how the reader started this program: through the Go tool, or as an installed binary.
func selfName() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/waoutbox"
	}
	return "waoutbox"
}
