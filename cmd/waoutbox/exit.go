package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"waoutbox/cmd/internal/control/daemon"
	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/servicemanager"
	"waoutbox/outbox/api"
)

// Exit codes, documented and stable.
const (
	exitOK = 0
	// everything that is not below: a second serve, and what is written well and not there (a
	// webhook, a dead letter, an event) included
	exitFailed   = 1
	exitUsage    = 2 // what was typed is wrong
	exitNoDaemon = 3 // the state is owned but nobody answers, or a daemon is needed and none runs
	// what a service manager is told in the place of exitUsage: Go ends a process that panics, or
	// that the manager's watchdog ends, with 2
	exitConfig = servicemanager.ExitConfig
)

// badUsage says that what was typed is wrong.
type badUsage struct{ err error }

func (e *badUsage) Error() string { return e.err.Error() }
func (e *badUsage) Unwrap() error { return e.err }

// usageError marks err as the user's: exit 2.
func usageError(err error) error { return &badUsage{err} }

func usagef(format string, args ...any) error { return usageError(fmt.Errorf(format, args...)) }

// badSettings keep a service that a service manager started from ever running.
type badSettings struct{ err error }

func (e *badSettings) Error() string { return e.err.Error() }
func (e *badSettings) Unwrap() error { return e.err }

// codeInterrupted: somebody ended the command, and nothing failed.
const codeInterrupted api.Code = "interrupted"

// interruption is the error of a command that was interrupted and says what goes on.
type interruption struct{ text string }

func (e *interruption) Error() string { return e.text }

// resultError ends a command with a code after its output has said everything: no error line
// follows.
type resultError struct{ code int }

func (e *resultError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// exitCode maps an error to the process's exit code.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if r, ok := errors.AsType[*resultError](err); ok {
		return r.code
	}
	if _, ok := errors.AsType[*badSettings](err); ok {
		return exitConfig
	}
	if _, ok := errors.AsType[*badUsage](err); ok {
		return exitUsage
	}
	switch code := api.CodeOf(err); {
	case strings.HasPrefix(string(code), "invalid_"):
		return exitUsage
	case code == api.CodeServiceUnavail:
		return exitNoDaemon
	}
	return exitFailed
}

// codeOf names the failure for programs.
func codeOf(err error) api.Code {
	if _, ok := errors.AsType[*badUsage](err); ok {
		return api.CodeInvalidArguments
	}
	if _, ok := errors.AsType[*interruption](err); ok || errors.Is(err, context.Canceled) {
		return codeInterrupted
	}
	code := api.CodeOf(err)
	if _, ok := errors.AsType[*explain.UnusableError](err); ok && code == api.CodeInternal {
		return daemon.CodeStateUnusable
	}
	return code
}

// report prints an error for people, or as one JSON object {"error":{"code","message"}} with
// --json.
func (e *env) report(err error) {
	if _, ok := errors.AsType[*resultError](err); ok {
		return
	}
	code, text := codeOf(err), err.Error()
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	text = e.say(text)
	if e.json {
		// strings always marshal
		line, _ := json.Marshal(map[string]any{"error": map[string]any{"code": code, "message": text}})
		fmt.Fprintf(e.stderr, "%s\n", line)
		return
	}
	fmt.Fprintf(e.stderr, "%s %s\n", e.errStyle.Red("error:"), cleanLines(text))
}
