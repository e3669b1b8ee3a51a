package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/term"
	"waoutbox/store"
)

// serveLog is where `serve` logs: stderr, for a service manager or a pipe to take up. On a terminal it is the file serve.log beside the
// state, since lines that scroll by under a QR code are read by nobody.
type serveLog struct {
	path   string // "" = stderr
	stderr io.Writer

	mu sync.Mutex
	f  *os.File // opened at the first line, when the state directory is there
}

func (e *env) serveLog() *serveLog {
	l := &serveLog{stderr: e.stderr}
	if term.IsTerminal(e.stderr) {
		l.path = filepath.Join(e.stateDir, store.LogFile)
	}
	return l
}

// Write writes one line. When the file cannot be opened, stderr takes the lines instead.
func (l *serveLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.path != "" && l.f == nil {
		f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			l.path = ""
		}
		l.f = f
	}
	if l.f != nil {
		return l.f.Write(p)
	}
	return l.stderr.Write(p)
}

// file is the open file behind the log.
func (l *serveLog) file() *os.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		return l.f
	}
	return os.Stderr
}

func (l *serveLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		_ = l.f.Close() // every line was handed to the system already
	}
}

// newLogger logs to w in the configured format and level.
func newLogger(w io.Writer, cfg config.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
