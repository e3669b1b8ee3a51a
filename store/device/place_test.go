package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func openToRemove(t *testing.T) (s *Store, path string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("NOT RUN: Windows removes no file that is open")
	}
	path = filepath.Join(t.TempDir(), "whatsapp.db")
	s = open(t, path, "")
	link(t, s, "491515550100")
	return s, path
}

// What is open is not lost with its name: the file is written anew, with what is in its log only,
// private, and what is written after that is in it. Before, nobody noticed, and the link was gone
// with the next stop.
func TestARemovedDeviceStoreIsWrittenAnew(t *testing.T) {
	for _, gone := range [][]string{{""}, {"", walSuffix, "-shm"}, {walSuffix}, {"", walSuffix}} {
		t.Run(strings.Join(gone, " "), func(t *testing.T) {
			s, path := openToRemove(t)
			if since, err := s.Displaced(); err != nil || !since.IsZero() {
				t.Errorf("at first: %v, %v", since, err)
			}
			for _, suffix := range gone {
				if err := os.Remove(path + suffix); err != nil {
					t.Fatal(err)
				}
			}
			if since, err := s.Displaced(); !errors.Is(err, ErrDisplaced) || since.IsZero() {
				t.Errorf("without its name: %v, %v", since, err)
			}
			if got := linkedUser(t, s); got != "491515550100" {
				t.Errorf("what is open has the account %q", got)
			}
			if err := s.keepPlace(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Displaced(); err != nil {
				t.Errorf("written anew: %v", err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file has the mode %v, %v", info.Mode(), err)
			}
			if err := s.Keep(t.Context(), "after", []byte("that")); err != nil {
				t.Fatal(err)
			}
			s.Close()
			if left, err := filepath.Glob(path + ".*"); err != nil || left != nil {
				t.Errorf("left behind: %q, %v", left, err)
			}
			again := open(t, path, "")
			if kept, err := again.Kept(t.Context(), "after"); err != nil || string(kept) != "that" {
				t.Errorf("kept after it: %q, %v", kept, err)
			}
			if got := linkedUser(t, again); got != "491515550100" {
				t.Errorf("the account is %q", got)
			}
		})
	}
}

// A stop writes it anew too.
//
// Mutation of device.go: the device store is closed without its name, and the link with it.
func TestADeviceStoreRemovedBeforeTheStop(t *testing.T) {
	s, path := openToRemove(t)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := linkedUser(t, open(t, path, "")); got != "491515550100" {
		t.Errorf("the account is %q", got)
	}
}

// Another file in its place stays as it is, and no connection is made to it: the two would mix.
// Once it is moved away, what is open is written there.
func TestADeviceStoreThatWasReplaced(t *testing.T) {
	s, path := openToRemove(t)
	other := open(t, filepath.Join(t.TempDir(), "other"), "")
	link(t, other, "1999")
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other.place.path, path); err != nil {
		t.Fatal(err)
	}
	if err := s.keepPlace(t.Context()); !errors.Is(err, ErrDisplaced) || !strings.HasPrefix(err.Error(), "Another file was put in the place of "+path) {
		t.Errorf("with another file: %v", err)
	}
	var all []interface{ Close() error }
	for range idleConnections {
		conn, err := s.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var user string
		if err := conn.QueryRowContext(t.Context(), `SELECT jid FROM whatsmeow_device`).Scan(&user); err != nil || !strings.HasPrefix(user, "491515550100") {
			t.Errorf("a connection reads %q, %v", user, err)
		}
		all = append(all, conn)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.place.Connect(ctx); !errors.Is(err, ErrDisplaced) {
		t.Errorf("a new connection: %v", err)
	}
	for _, conn := range all {
		conn.Close()
	}
	if err := os.Rename(path, other.place.path); err != nil {
		t.Fatal(err)
	}
	if err := s.keepPlace(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := linkedUser(t, open(t, path, "")); got != "491515550100" {
		t.Errorf("the account is %q", got)
	}
}

// Writers go on over it: each write that was confirmed is in the file afterwards.
//
// Mutation of putback.go: connections to the removed device store stay open beside the one that is
// written anew.
func TestWritersGoOnWhileItIsWrittenAnew(t *testing.T) {
	s, path := openToRemove(t)
	ctx, end := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	confirmed := make([]map[string]bool, 4)
	for w := range confirmed {
		confirmed[w] = map[string]bool{}
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprintf("%d-%d", w, i)
				switch err := s.Keep(t.Context(), name, []byte("x")); {
				case err == nil:
					confirmed[w][name] = true
				case !errors.Is(err, ErrDisplaced):
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
		if err := s.keepPlace(t.Context()); err != nil {
			t.Error(err)
		}
	}
	end()
	writers.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path, "")
	for _, names := range confirmed {
		for name := range names {
			if got, err := again.Kept(t.Context(), name); err != nil || string(got) != "x" {
				t.Errorf("%s is %q, %v", name, got, err)
			}
		}
	}
}
