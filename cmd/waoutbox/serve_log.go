package main

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/control/daemon"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api/wording"
	"waoutbox/store"
)

// serveLog is where `serve` logs: stderr, for a service manager or a pipe to take up. On a terminal
// and in the background it is the file serve.log beside the state: lines that scroll by under a QR
// code are read by nobody, and nobody else keeps those of the background.
type serveLog struct {
	path     string // of the log, "" = stderr
	stateDir string
	stderr   io.Writer

	mu      sync.Mutex
	file    io.WriteCloser // opened at the first line, when the state directory is there
	failing bool           // the last line could not be written
}

func (e *env) serveLog(background bool) *serveLog {
	l := &serveLog{stateDir: e.stateDir, stderr: e.stderr}
	if background || term.IsTerminal(e.stderr) {
		l.path = filepath.Join(e.stateDir, store.LogFile)
	}
	return l
}

// Write writes one line. When the file cannot be opened, stderr takes the lines instead; when it
// cannot be written later, stderr tells so once and the lines are lost, since stderr has no limit.
func (l *serveLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.path != "" && l.file == nil {
		f, err := daemon.OpenLog(l.stateDir)
		if err != nil {
			l.path = ""
			return l.stderr.Write(p)
		}
		l.file = f
	}
	if l.file == nil {
		return l.stderr.Write(p)
	}
	n, err := l.file.Write(p)
	if err != nil && !l.failing {
		fmt.Fprintf(l.stderr, "the log %s cannot be written: %v\n", l.path, err)
	}
	l.failing = err != nil
	return n, err
}

func (l *serveLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close() // every line was handed to the system already
	}
}

// newLogger returns a logger that writes to w in the configured format and level. The commands that
// its sentences name are commands on this state.
func newLogger(w io.Writer, cfg config.Config, stateDir string) *slog.Logger {
	command := term.Command(stateDir)
	o := &slog.HandlerOptions{Level: cfg.LogLevel, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.MessageKey {
			a.Value = slog.StringValue(wording.ForShell(a.Value.String(), command))
		}
		return a
	}}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
