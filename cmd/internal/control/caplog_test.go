package control

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A daemon that logs into serve.log goes on writing to the same open file after its text has moved.
func TestCapLog(t *testing.T) {
	dir := t.TempDir()
	own, _, err := openLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- CapLog(ctx, dir, own, discardLog()) }()

		full := append(bytes.Repeat([]byte("x"), maxLogBytes-1), '\n')
		for round := range 2 {
			own.Write(full)
			<-time.After(capEvery + 1)
			synctest.Wait()
			if got := size(logPath(dir)); got < maxLogBytes {
				t.Errorf("round %d: cut at %d bytes, below the limit", round, got)
			}
			own.WriteString("over\n")
			<-time.After(capEvery)
			synctest.Wait()
			if got := size(logPath(dir)); got != 0 {
				t.Errorf("round %d: %d bytes are left", round, got)
			}
			old, err := os.ReadFile(logPath(dir) + ".1")
			if err != nil || len(old) != maxLogBytes+5 || !bytes.HasSuffix(old, []byte("x\nover\n")) {
				t.Errorf("round %d: %d bytes moved, %v", round, len(old), err)
			}
		}
		own.WriteString("next\n")
		if got := size(logPath(dir)); got != 5 {
			t.Errorf("the next line ends at %d", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A log that is somebody else's is not touched, however long it is.
func TestCapLogLeavesOtherFilesAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "other")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), maxLogBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	own, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if err := os.WriteFile(logPath(dir), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := capLog(logPath(dir), own); err != nil {
		t.Error(err)
	}
	for p, want := range map[string]int64{path: maxLogBytes + 1, logPath(dir): 3} {
		if info, err := os.Stat(p); err != nil || info.Size() != want {
			t.Errorf("%s: %v, %v", p, info, err)
		}
	}
}

// What fails is said once, not every ten seconds, and tried again.
func TestCapLogSaysATroubleOnce(t *testing.T) {
	own, _, err := openLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	own.Close() // its size cannot be asked any more
	log := &logBuffer{}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*capEvery+1)
		defer cancel()
		if err := CapLog(ctx, t.TempDir(), own, log.logger()); err != nil {
			t.Error(err)
		}
	})
	if n := strings.Count(log.String(), "log not capped"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log)
	}
}
