package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// lastLine answers what was said last after from: the last line that begins with "error:" (without it) or tells of a panic, else the
// last one with text in it; "" if there is none.
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
	line := telling(strings.Split(string(raw), "\n"))
	if runes := []rune(line); len(runes) > maxSaid {
		line = string(runes[:maxSaid]) + "…"
	}
	return strings.TrimSuffix(line, ".")
}

// plain is what a line of the log says without what stands around it: the message, and the error if it tells of one.
func plain(line string) string {
	var fields struct{ Msg, Error string }
	if json.Unmarshal([]byte(line), &fields) != nil {
		if !strings.HasPrefix(line, "time=") {
			return line
		}
		fields.Msg, fields.Error = textField(line, "msg"), textField(line, "error")
	}
	switch {
	case fields.Msg == "":
		return line
	case fields.Error != "":
		return fields.Msg + ": " + fields.Error
	}
	return fields.Msg
}

// textField is one value of a line that slog's TextHandler wrote, "" if it is not there.
func textField(line, key string) string {
	_, rest, ok := strings.Cut(line, " "+key+"=")
	if !ok {
		return ""
	}
	if quoted, err := strconv.QuotedPrefix(rest); err == nil {
		if text, err := strconv.Unquote(quoted); err == nil {
			return text
		}
	}
	value, _, _ := strings.Cut(rest, " ")
	return value
}

// telling picks the line that explains an end: below a panic stand only addresses, below an error perhaps a warning.
func telling(lines []string) string {
	last := ""
	for _, line := range slices.Backward(lines) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "error: "); ok {
			return strings.TrimSpace(text)
		}
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
		if last == "" {
			last = plain(line)
		}
	}
	return last
}
