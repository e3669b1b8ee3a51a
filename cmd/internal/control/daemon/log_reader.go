package daemon

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"waoutbox/store"
)

// logPoll is how often a follower looks for new lines: nothing tells of a write by itself on every
// system.
const logPoll = 250 * time.Millisecond

// LogReader reads the log of a state directory over the files it was renamed to. It holds no file
// between two calls, so it is in nobody's way. One goroutine at a time may use it.
type LogReader struct {
	dir    string
	last   fs.FileInfo // of the file that was read last, nil before the first
	offset int64       // up to where it was read: the end of a line
}

// NewLogReader returns a reader at the log's beginning. It opens nothing.
func NewLogReader(stateDir string) *LogReader { return &LogReader{dir: stateDir} }

// Last calls emit with the last n lines, oldest first and without their newlines, and leaves the
// reader behind them. A line that is not whole yet is left to Follow. Without a log the error is
// fs.ErrNotExist; emit's own ends the reading.
func (r *LogReader) Last(n int, emit func(line string) error) error {
	if _, err := os.Stat(logPath(r.dir)); err != nil {
		return err
	}
	files, err := r.files()
	if err != nil {
		return err
	}
	starts := make([]int64, len(files))
	first := len(files) - 1
	for ; first >= 0; first-- {
		var found int
		if starts[first], found, err = lastLines(files[first], n); err != nil {
			return err
		}
		if n -= found; n <= 0 || first == 0 {
			break
		}
	}
	for i := first; i < len(files); i++ {
		if err := r.read(files[i], starts[i], emit); err != nil {
			return err
		}
	}
	return nil
}

// Follow calls emit with every line that is written from the reader's place on, in order and over
// rotations, until ctx ends (nil) or emit returns an error. A log that is not there is waited for.
func (r *LogReader) Follow(ctx context.Context, emit func(line string) error) error {
	tick := time.NewTicker(logPoll)
	defer tick.Stop()
	for {
		if err := r.more(emit); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// more reads what is new: the rest of the file that was read last, what came between, and the
// current one.
func (r *LogReader) more(emit func(line string) error) error {
	current, err := stat(logPath(r.dir))
	if err != nil {
		return err
	}
	if r.last == nil || os.SameFile(current, r.last) {
		if current.Size() < r.offset { // somebody emptied it
			r.offset = 0
		}
		return r.read(logPath(r.dir), r.offset, emit)
	}
	files, err := r.files()
	if err != nil {
		return err
	}
	from := len(files) - 1 // where the last one is gone, its rest is too
	for i, path := range files {
		if info, err := stat(path); err == nil && os.SameFile(info, r.last) {
			from = i
		}
	}
	for i := from; i < len(files); i++ {
		offset := int64(0)
		if i == from && i < len(files)-1 {
			offset = r.offset
		}
		if err := r.read(files[i], offset, emit); err != nil {
			return err
		}
	}
	return nil
}

// read emits the whole lines of a file from offset on, and remembers the place behind them.
func (r *LogReader) read(path string, offset int64, emit func(line string) error) error {
	f, err := openShared(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	r.last, r.offset = info, offset
	for in := bufio.NewReader(f); ; {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.offset += int64(len(line))
		if err := emit(strings.TrimRight(line, "\r\n")); err != nil {
			return err
		}
	}
}

// files returns the paths of the log, the oldest first and the current one last.
func (r *LogReader) files() ([]string, error) {
	entries, err := os.ReadDir(r.dir) // by name, and in a name is the time
	if err != nil {
		return nil, err
	}
	ext := filepath.Ext(store.LogFile)
	prefix := strings.TrimSuffix(store.LogFile, ext) + "-"
	var out []string
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, prefix) && filepath.Ext(name) == ext && e.Type().IsRegular() {
			out = append(out, filepath.Join(r.dir, name))
		}
	}
	return append(out, logPath(r.dir)), nil
}

// stat asks the open file: what the path says is looked up too late on Windows.
func stat(path string) (fs.FileInfo, error) {
	f, err := openShared(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}

// lastLines returns where the last n whole lines of a file begin, and how many it has up to n.
func lastLines(path string, n int) (offset int64, found int, err error) {
	f, err := openShared(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, 0, err
	}
	newlines := 0
	whole := end // behind the last newline, once one was met
	block := make([]byte, 64<<10)
	for at := end; at > 0; {
		size := min(at, int64(len(block)))
		at -= size
		if _, err := f.ReadAt(block[:size], at); err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		for part := block[:size]; ; {
			i := bytes.LastIndexByte(part, '\n')
			if i < 0 {
				break
			}
			if newlines++; newlines == 1 {
				whole = at + int64(i) + 1
			}
			if newlines > n {
				return at + int64(i) + 1, n, nil
			}
			part = part[:i]
		}
	}
	if newlines == 0 || n <= 0 {
		return whole, 0, nil
	}
	return 0, newlines, nil
}

// StderrPath returns the file that takes what a daemon in the background writes past its log, such
// as the text of a panic, when it was written after the log and is not empty; else "".
func StderrPath(stateDir string) string {
	errs, err := os.Stat(stderrPath(stateDir))
	if err != nil || errs.Size() == 0 {
		return ""
	}
	if log, err := os.Stat(logPath(stateDir)); err == nil && !errs.ModTime().After(log.ModTime()) {
		return ""
	}
	return stderrPath(stateDir)
}
