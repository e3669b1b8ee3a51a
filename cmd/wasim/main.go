// Command wasim runs the WhatsApp simulator for scripts and benchmarks, and
// talks to its control API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"go.mau.fi/libsignal/logger"
)

const usage = `wasim is a WhatsApp server on loopback, for tests, demos and benchmarks.

  wasim play
      To play without a phone: a server at ` + playAddress + ` with a phone and contacts. Says what to type.
  eval "$(wasim env)"
      Has waoutbox use that server, with a state directory of its own.
  waoutbox pair --json | wasim scan [--account PHONE]
      Lets the phone scan the code.
  wasim say NAME TEXT...
      Lets a contact write.

  wasim [--listen 127.0.0.1:0] [--account PHONE[:NAME]]... [--contact NAME:PHONE]...
        [--group SUBJECT:NAME,NAME]... [--for DURATION] [--state FILE] [--verbose]
      Runs until SIGTERM or SIGINT, or for DURATION. Prints one JSON line when ready:
      {"url":…,"root_key":…,"control_url":…}
      Contacts and groups belong to the account before them.
      With --state a restart goes on where the last run ended: same accounts, same linked
      companion. Give it the same --listen address.

  wasim ctl [--url CONTROL_URL] METHOD PATH [JSON | name=text | name:=json]...
      Calls the control API and prints its response. CONTROL_URL is WASIM_URL when left out,
      else that of wasim play; env, scan and say use the same.
      wasim ctl GET /                                    lists every operation
      wasim ctl POST /messages from=Bob text=hello
      wasim ctl POST /messages '{"from":"Bob","text":"hello","count":100}'
      wasim ctl GET '/wait?for=drained'
`

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// errUsage marks mistakes in the arguments.
var errUsage = errors.New("run wasim --help for the usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal ends politely, a second one kills
	var quiet logger.Loggable = noLog{}
	logger.Setup(&quiet) // libsignal prints every retry to stdout, which belongs to our JSON
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	var err error
	switch {
	case asksForHelp(command), len(args) > 1 && asksForHelp(args[1]):
		fmt.Fprint(stdout, usage)
		return exitOK
	case command == "ctl":
		err = ctl(ctx, args[1:], getenv, stdout)
	case command == "play":
		err = play(ctx, args[1:], stdout, stderr)
	case command == "env":
		err = printEnv(ctx, args[1:], getenv, stdout)
	case command == "scan":
		err = scan(ctx, args[1:], getenv, stdin, stdout)
	case command == "say":
		err = say(ctx, args[1:], getenv, stdout)
	default:
		err = serve(ctx, args, stdout, stderr)
	}
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(stderr, "error:", err)
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

func asksForHelp(arg string) bool { return arg == "--help" || arg == "-h" || arg == "help" }

// noLog silences libsignal.
type noLog struct{}

func (noLog) Debug(string, string)   {}
func (noLog) Info(string, string)    {}
func (noLog) Warning(string, string) {}
func (noLog) Error(string, string)   {}
func (noLog) Configure(string)       {}
