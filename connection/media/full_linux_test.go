package media

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"waoutbox/connection/wasim"
)

// A disk that becomes full while a file is fetched is told as such, and nothing of the file stays:
// events need the room.
func TestDiskFullInAFetch(t *testing.T) {
	s := newServers(t)
	spool := newSpool(t, Options{})
	plain := made(100_000)
	m, ref := s.sent(wasim.Image, plain)
	must(t, os.Symlink("/dev/full", filepath.Join(spool.dir, partName(ref))))
	if _, err := spool.Fetch(t.Context(), s, ref, 0); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	if left := spool.files(t); len(left) != 0 || len(m.Requests()) != 1 {
		t.Errorf("left in the spool: %q after %d requests", left, len(m.Requests()))
	}
	f, err := spool.Fetch(t.Context(), s, ref, 0)
	must(t, err)
	if !bytes.Equal(content(t, f), plain) {
		t.Error("another file came when there was room")
	}
	must(t, f.Close())
}
