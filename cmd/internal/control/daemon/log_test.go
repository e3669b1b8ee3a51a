package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waoutbox/store"
)

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// olderLogs returns the files that the log was renamed to, oldest first.
func olderLogs(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "serve-*.log"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// A running daemon's log stays within three files of 10 MiB, however long it runs. They are this
// user's alone.
//
// Mutation of log.go: the log of the service follows a link, or is open to others.
func TestLogIsRotated(t *testing.T) {
	dir := t.TempDir()
	log, err := OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	full := append(bytes.Repeat([]byte("x"), maxLogMiB<<20-1), '\n')
	for round := range logFiles + 1 {
		for _, line := range [][]byte{full, []byte("over\n")} {
			if n, err := log.Write(line); n != len(line) || err != nil {
				t.Fatalf("round %d: wrote %d, %v", round, n, err)
			}
		}
		if got := size(t, logPath(dir)); got != int64(len("over\n")) {
			t.Errorf("round %d: the new file has %d bytes", round, got)
		}
		// the full file is renamed at the next round's first line
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for len(olderLogs(t, dir)) > logFiles-1 { // removed beside the writes
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("still there: %v", olderLogs(t, dir))
		}
	}
	var kept int64
	for _, path := range append(olderLogs(t, dir), logPath(dir)) {
		kept += size(t, path)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if most := int64(logFiles) * maxLogMiB << 20; kept > most {
		t.Errorf("%d bytes are kept, more than %d", kept, most)
	}
}

// A log that another version or another umask left too long and too open is renamed and closed at
// the first line.
func TestLogThatIsTooLongAtTheStart(t *testing.T) {
	dir := t.TempDir()
	old := bytes.Repeat([]byte("x"), maxLogMiB<<20+1)
	if err := os.WriteFile(logPath(dir), old, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{5, 10} {
		log, err := OpenLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := log.Write([]byte("line\n")); err != nil {
			t.Error(err)
		}
		log.Close()
		if info, err := os.Stat(logPath(dir)); err != nil || info.Size() != want || info.Mode().Perm() != 0o600 {
			t.Errorf("new log: %v, %v, want %d bytes", info, err, want)
		}
		if older := olderLogs(t, dir); len(older) != 1 || size(t, older[0]) != int64(len(old)) {
			t.Errorf("old log: %v", older)
		}
	}
}

func TestLogIsNotALink(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(t.TempDir(), "precious")
	for _, name := range []string{store.LogFile, stderrFile} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := OpenLog(dir); err == nil {
		f.Close()
		t.Error("the log is written through a link")
	}
	if f, err := OpenStderr(dir); err == nil {
		f.Close()
		t.Error("stderr is written through a link")
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("the link's target was made")
	}
}

// How the daemon before ended is still there at the next start, until it is too much.
func TestStderrKeepsTheEndBefore(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct{ write, want int64 }{{3, 3}, {maxStderrBytes - 3, maxStderrBytes}, {1, maxStderrBytes + 1}, {2, 2}} {
		f, err := OpenStderr(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(bytes.Repeat([]byte("x"), int(tc.write))); err != nil {
			t.Error(err)
		}
		f.Close()
		if got := size(t, stderrPath(dir)); got != tc.want {
			t.Errorf("after %d more bytes: %d, want %d", tc.write, got, tc.want)
		}
	}
}
