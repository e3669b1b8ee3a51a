package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/store"
)

var errEnough = errors.New("enough")

func lastOf(t *testing.T, dir string, n int) []string {
	t.Helper()
	var got []string
	if err := NewLogReader(dir).Last(n, func(line string) error { got = append(got, line); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The last lines are found over the rotated files, and a line that is being written is none yet.
func TestLastLines(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a[b]*")
	if runtime.GOOS == "windows" { // where no file has such a name
		dir = filepath.Join(t.TempDir(), "a[b]")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := NewLogReader(dir).Last(3, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a log: %v", err)
	}
	writeFile(t, filepath.Join(dir, "serve-2026-01-01T10-00-00.000.log"), "1\n2\n")
	writeFile(t, filepath.Join(dir, "serve-2026-01-02T10-00-00.000.log"), "3\r\n4\n")
	long := strings.Repeat("x", 200<<10)
	writeFile(t, logPath(dir), "5\n"+long+"\n7")
	all := []string{"1", "2", "3", "4", "5", long}
	for n := range len(all) + 2 {
		want := all[max(0, len(all)-n):]
		if got := lastOf(t, dir, n); !slices.Equal(got, want) {
			t.Errorf("the last %d: %.60q, want %.60q", n, got, want)
		}
	}
	writeFile(t, logPath(dir), "")
	if got := lastOf(t, dir, 1); !slices.Equal(got, []string{"4"}) {
		t.Errorf("with a current file that is empty: %q", got)
	}
}

// A follower gets every line once and in order while the log is rotated under it, more often than
// it looks, too.
//
// Mutation of log_reader.go: who follows the log gets lines twice when it is rotated.
func TestFollowSurvivesRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, err := OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	write := func(text string) {
		if _, err := log.Write([]byte(text + "\n")); err != nil {
			t.Error(err)
		}
	}
	write("old")
	write("0")
	r := NewLogReader(dir)
	var got []string
	emit := func(line string) error {
		if len(line) < 100 {
			got = append(got, line)
		}
		return nil
	}
	if err := r.Last(1, emit); err != nil {
		t.Fatal(err)
	}
	full := string(bytes.Repeat([]byte("x"), maxLogMiB<<20-64))
	next := 1
	for rotations := range 3 { // between two looks
		for range rotations {
			write(fmt.Sprint(next))
			write(full)
			next++
		}
		write(fmt.Sprint(next))
		next++
		if err := r.more(emit); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{}
	for i := range next {
		want = append(want, fmt.Sprint(i))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Follow waits for a log that is not there, sees what is written, and ends with its context or its
// caller.
func TestFollow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	lines, ended := make(chan string, 10), make(chan error, 1)
	go func() {
		ended <- NewLogReader(dir).Follow(ctx, func(line string) error { lines <- line; return nil })
	}()
	writeFile(t, logPath(dir), "one\nhal")
	f, err := os.OpenFile(logPath(dir), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	wait := func(want string) {
		t.Helper()
		select {
		case line := <-lines:
			if line != want {
				t.Errorf("got %q, want %q", line, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("no line %q", want)
		}
	}
	wait("one")
	if _, err := f.WriteString("f\n"); err != nil {
		t.Fatal(err)
	}
	wait("half")
	if err := os.Truncate(logPath(dir), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("new\n"); err != nil {
		t.Fatal(err)
	}
	wait("new")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := NewLogReader(dir).Follow(t.Context(), func(string) error { return errEnough }); !errors.Is(err, errEnough) {
		t.Errorf("emit's error: %v", err)
	}
}

func TestStderrPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string, size int, age time.Duration) {
		t.Helper()
		path := filepath.Join(dir, name)
		writeFile(t, path, strings.Repeat("x", size))
		if when := time.Now().Add(-age); os.Chtimes(path, when, when) != nil {
			t.Fatal("the time was not set")
		}
	}
	for i, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, ""},
		{func() { at(stderrFile, 0, time.Hour) }, ""},
		{func() { at(stderrFile, 1, time.Hour) }, stderrPath(dir)},
		{func() { at(store.LogFile, 1, time.Minute) }, ""},
		{func() { at(stderrFile, 1, time.Second) }, stderrPath(dir)},
	} {
		if step.do(); StderrPath(dir) != step.want {
			t.Errorf("step %d: %q, want %q", i, StderrPath(dir), step.want)
		}
	}
}
