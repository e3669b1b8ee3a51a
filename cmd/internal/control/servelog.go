package control

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"waoutbox/store"
)

const (
	maxLogBytes = 10 << 20 // at a start; one older log is kept beside it
	maxTail     = 8 << 10  // of a log, read to find its last line
	maxSaid     = 500      // characters of that line that are repeated
)

func logPath(stateDir string) string { return filepath.Join(stateDir, store.LogFile) }

// openLog opens serve.log (0600) for appending and answers where it ends now. A log above its limit becomes serve.log.1 first, which
// replaces the one before. The caller holds start.lock.
func openLog(stateDir string) (f *os.File, end int64, err error) {
	path := logPath(stateDir)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, 0, fmt.Errorf("%s is no regular file; move it away", path)
	case info.Size() > maxLogBytes:
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, err
		}
	}
	f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|noFollow, 0o600)
	if err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// lastLine answers the last line with text in it that was written after from, without "error:" before it; "" if there is none.
func lastLine(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	start := max(from, info.Size()-maxTail)
	raw, err := io.ReadAll(io.NewSectionReader(f, start, maxTail))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	line := strings.TrimSpace(strings.TrimPrefix(lines[len(lines)-1], "error: "))
	if runes := []rune(line); len(runes) > maxSaid {
		line = string(runes[:maxSaid]) + "…"
	}
	return strings.TrimSuffix(line, ".")
}
