package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gopkg.in/natefinch/lumberjack.v2"

	"waoutbox/store"
	"waoutbox/store/private"
)

const (
	maxLogMiB = 10 // of one file of the log
	logFiles  = 3  // of them, the current one included

	// stderrFile takes what a daemon in the background writes past its log: the text of a panic or
	// of the Go runtime, also from before the log is open. It is a file of its own because
	// serve.log is renamed when it is full: stderr would follow the old file into its deletion, and
	// on Windows a file that is open as stderr cannot be renamed at all.
	stderrFile = "serve.err"
	// above it, stderrFile begins anew at the next start; below, it keeps how the one before ended
	maxStderrBytes = 1 << 20
)

func logPath(stateDir string) string    { return filepath.Join(stateDir, store.LogFile) }
func stderrPath(stateDir string) string { return filepath.Join(stateDir, stderrFile) }

// OpenLog opens serve.log (0600) of a state directory for appending. The log keeps itself small: at
// 10 MiB the file is renamed to serve-TIME.log and the two newest of those are kept. Writes are
// safe for concurrent use; one process may have a state's log open at a time.
func OpenLog(stateDir string) (io.WriteCloser, error) {
	// the library would take any file with any mode
	f, err := openPrivate(logPath(stateDir), appending)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return &lumberjack.Logger{Filename: logPath(stateDir), MaxSize: maxLogMiB, MaxBackups: logFiles - 1}, nil
}

// OpenStderr opens serve.err (0600) of a state directory, for what a service that is about to start
// writes past its log. The caller sees to it that no other one starts meanwhile.
func OpenStderr(stateDir string) (*os.File, error) {
	f, err := openPrivate(stderrPath(stateDir), appending)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > maxStderrBytes {
		err = f.Truncate(0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// appending opens a file for adding to it, and creates it if need be.
const appending = os.O_WRONLY | os.O_CREATE | os.O_APPEND

// openPrivate opens a file of the state directory, 0600 and no link.
func openPrivate(path string, flag int) (*os.File, error) {
	f, err := private.Open(path, flag)
	if _, refused := errors.AsType[*private.Error](err); refused {
		return nil, fmt.Errorf("%w; move it away", err)
	}
	return f, err
}
