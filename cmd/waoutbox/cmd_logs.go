package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/control/daemon"
	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/term"
	"waoutbox/store"
)

// usualLogLines is how many lines logs shows.
const usualLogLines = 50

func newLogsCmd(e *env) *cobra.Command {
	var follow bool
	lines := usualLogLines
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Show the log of the service",
		Long: `Shows the newest lines of serve.log in the state directory, over the files it was rotated to, and
with --follow what is written from now on. It needs no running service. A service in the foreground
whose stderr is no terminal logs there instead.`,
		Example: `  waoutbox logs --follow
  waoutbox logs -n 500 | grep wh_7K2M`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if lines < 0 {
				return usagef("-n %d is less than no line: give a number from 0 on", lines)
			}
			return e.logs(cmd.Context(), lines, follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is written, until interrupted")
	cmd.Flags().IntVarP(&lines, "lines", "n", lines, "how many of the newest lines to show first")
	return cmd
}

func (e *env) logs(ctx context.Context, lines int, follow bool) error {
	if err := e.checkStateDir(); err != nil {
		return err
	}
	path := filepath.Join(e.stateDir, store.LogFile)
	r := daemon.NewLogReader(e.stateDir)
	err := r.Last(lines, e.logLine)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !follow:
		return explain.Refuse("there is no log at %s yet. A service in the background writes it: %s. One in the foreground logs to its stderr", path, e.command("start"))
	case errors.Is(err, fs.ErrNotExist):
		e.note("there is no log at %s yet; waiting for it. Start the service: %s", e.home(path), e.command("start"))
	case err != nil:
		return logError(err, path)
	}
	if errs := daemon.StderrPath(e.stateDir); errs != "" {
		e.note("note: %s was written after the last line of the log: the service ended by a fault of its own, or could not start. Look: %s", e.home(errs), term.Show(errs))
	}
	if !follow {
		return nil
	}
	return logError(r.Follow(ctx, e.logLine), path)
}

// logLine prints one line of the log; an output that is gone ends the reading.
func (e *env) logLine(line string) error {
	if !e.json {
		e.printf("%s\n", term.Clean(line))
		return e.written.err
	}
	out := logLine{Line: line}
	if json.Valid([]byte(line)) { // log-format=json
		out = logLine{Record: json.RawMessage(line)}
	}
	e.printJSON(out)
	return e.written.err
}

// logLine is a line of the log for programs: as text, or as the record that it is with
// log-format=json.
type logLine struct {
	Line   string          `json:"line,omitempty"`
	Record json.RawMessage `json:"record,omitempty"`
}

// logError gives what the system said about the log its sentence.
func logError(err error, path string) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return explain.Unusable(err, path+" cannot be read")
	}
	return err
}
