// Command wabench measures waoutbox on the machine it runs on: every figure is a ratio against a
// limit that was measured in the same run (docs/BENCHMARKS.md). It uses the real outbox, dispatcher
// and webhook sender; receivers run in a process of their own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Exit codes. A figure below its floor is no failure: it is printed.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// errUsage marks mistakes in the arguments.
var errUsage = errors.New("run wabench --help for the usage")

const usage = `wabench measures waoutbox against limits of this machine, taken in the same run.

  wabench isolation [flags]   one endpoint hangs, answers 503, refuses or is hostile: what the others notice
  wabench deliver   [flags]   sustained deliveries against a loop of raw signed POSTs
  wabench append    [flags]   durable appends against single fdatasyncs
  wabench latency   [flags]   what an event takes on its way to the POST at 100 events/s
  wabench written   [flags]   bytes written per event and per delivery
  wabench backlog   [flags]   memory, cold start and appending with a backlog on disk
  wabench removed   [flags]   what 1,000 removed webhooks cost an append, a start and a status
  wabench kill      [flags]   what kill -9 has sent again
  wabench lanes     [flags]   memory of lanes that are full
  wabench all       [flags]   all of these, one after the other
  wabench soak      [flags]   ten minutes beside endpoints of every kind: memory, descriptors, goroutines, file
  wabench idle --program P    what the program takes while nothing happens
  wabench path --program P    WhatsApp message to POST, whole path, against the WhatsApp library alone
  wabench media --program P   what the program takes while large files come in and go out
  wabench mcp --program P     what a tool call of an agent takes, and what its idle process holds
  wabench compare BEFORE AFTER   two files of --json reports, figure by figure

Flags of all:
  --dir DIR       where the temporary state goes: a real disk, no tmpfs (default: the working directory)
  --rounds N      interleaved rounds; the medians are printed (default 3)
  --timeout D     ends everything after this time (default 10m; of isolation and path 1h, of soak and idle 12h)
  --json          one JSON object a benchmark instead of a table
  --cpuprofile F, --memprofile F   for go tool pprof
"wabench COMMAND --help" lists the rest. Exit code 0 when it was measured, whatever the figures; 1 failed; 2 usage.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal stops and cleans up, a second one kills
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command is one subcommand: its flags beyond the common ones, and what it measures.
type command struct {
	name  string
	apart bool          // not part of all
	limit time.Duration // default of --timeout; 0: 10 min
	flags func(*flag.FlagSet) func(context.Context, *bench) (report, error)
}

// commands lists what can be measured, in the order of `all`.
func commands() []command {
	return []command{
		{name: "isolation", flags: isolationFlags, limit: time.Hour},
		{name: "deliver", flags: deliverFlags},
		{name: "append", flags: appendFlags},
		{name: "latency", flags: latencyFlags},
		{name: "written", flags: writtenFlags},
		{name: "backlog", flags: backlogFlags},
		{name: "removed", flags: removedFlags},
		{name: "kill", flags: killFlags},
		{name: "lanes", flags: lanesFlags},
		{name: "idle", flags: idleFlags, apart: true, limit: 12 * time.Hour},
		{name: "mcp", flags: mcpFlags, apart: true},
		{name: "path", flags: pathFlags, apart: true, limit: time.Hour},
		{name: "media", flags: mediaFlags, apart: true},
		{name: "soak", flags: soakFlags, apart: true, limit: 12 * time.Hour},
	}
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdin, stdout, stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "error:", err)
		return exitUsage
	}
	fmt.Fprintln(stderr, "error:", err)
	return exitFailed
}

func dispatch(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return fmt.Errorf("a command is missing: %w", errUsage)
	}
	switch name := args[0]; name {
	case "-h", "--help", "help":
		fmt.Fprint(stdout, usage)
		return nil
	case "receiver": // the process beside: see receivers.go
		return serveReceivers(ctx, stdin, stdout)
	case "backlog-child": // the outbox in a process of its own: see backlog_child.go
		return backlogChild(ctx, args[1:], stdout)
	case "bare-client": // the WhatsApp library alone: see bare.go
		return bareClient(ctx, args[1:], stdin, stdout)
	case "compare":
		return compare(args[1:], stdout)
	case "all":
		for _, c := range commands() {
			if c.apart {
				continue
			}
			if err := measure(ctx, c, args[1:], stdout, stderr); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		return nil
	default:
		for _, c := range commands() {
			if c.name == name {
				return measure(ctx, c, args[1:], stdout, stderr)
			}
		}
		return fmt.Errorf("%q is no command: %w", name, errUsage)
	}
}
