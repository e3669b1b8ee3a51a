package media

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waoutbox/connection/wasim"
)

// uploaded is what a message says of an uploaded file.
type uploaded struct {
	*Sealed
	at Uploaded
}

func (u uploaded) GetDirectPath() string    { return u.at.DirectPath }
func (u uploaded) GetMediaKey() []byte      { return u.Key }
func (u uploaded) GetFileSHA256() []byte    { return u.Hash }
func (u uploaded) GetFileEncSHA256() []byte { return u.FileHash }
func (u uploaded) GetFileLength() uint64    { return uint64(u.Size) }

func noPause(int) time.Duration { return 0 }

// What is uploaded is what a receiver opens, for every kind, at the second try if the first breaks
// off; what waits in the spool is encrypted, and goes with Close.
func TestUpload(t *testing.T) {
	s := newServers(t)
	spool := newSpool(t, Options{})
	for i, kind := range Kinds() {
		plain := made(i * 40_000)
		if i%2 == 1 {
			s.sim.CutUploads(1000, 1)
		}
		sealed, err := spool.Seal(t.Context(), kind, bytes.NewReader(plain), 0)
		must(t, err)
		name := spool.files(t)[0]
		stored, err := os.ReadFile(filepath.Join(spool.dir, name))
		must(t, err)
		if info, err := os.Stat(filepath.Join(spool.dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file in the spool: %v, %v", info.Mode(), err)
		}
		if len(plain) > 0 && bytes.Contains(stored, plain[:1000]) {
			t.Error("the spool holds the file unencrypted")
		}
		if again, err := io.ReadAll(sealed.Open()); err != nil || int64(len(again)) != sealed.Size || !bytes.Equal(again, plain) {
			t.Errorf("read back: %d bytes, %v", len(again), err)
		}
		at, err := sealed.Upload(t.Context(), s, noPause)
		must(t, err)
		got, err := s.sim.Download(wasim.MediaKind(kind), uploaded{sealed, at})
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes, %v", kind, len(got), err)
		}
		must(t, sealed.Close())
	}
	if s.fresh != 0 {
		t.Errorf("asked for the hosts anew %d times", s.fresh)
	}
	if left := spool.files(t); len(left) != 0 {
		t.Errorf("left in the spool: %q", left)
	}
}

// refusing are servers whose token has run out, until it is asked for anew.
type refusing struct{ *servers }

func (r refusing) Hosts(ctx context.Context, fresh bool) ([]string, string, error) {
	hosts, auth, err := r.servers.Hosts(ctx, fresh)
	if r.fresh == 0 {
		auth = "old"
	}
	return hosts, auth, err
}

func TestUploadWithAnOldToken(t *testing.T) {
	s := newServers(t)
	sealed, err := newSpool(t, Options{}).Seal(t.Context(), Image, bytes.NewReader(made(1000)), 0)
	must(t, err)
	if _, err := sealed.Upload(t.Context(), refusing{s}, noPause); err != nil || s.fresh != 1 {
		t.Errorf("%v, asked anew %d times", err, s.fresh)
	}
	s.sim.CutUploads(0, tries)
	if _, err := sealed.Upload(t.Context(), s, noPause); !errors.Is(err, ErrUnavailable) {
		t.Errorf("servers that take nothing: %v", err)
	}
	must(t, sealed.Close())
}

// endless never ends and counts what was read.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	e.n += len(p)
	return len(p), nil
}

// A file that is too large, cannot be read or finds no room leaves nothing.
func TestSealLimits(t *testing.T) {
	spool := newSpool(t, Options{})
	var e endless
	if _, err := spool.Seal(t.Context(), Image, &e, 100_000); !errors.Is(err, ErrTooLarge) || e.n > 200_000 {
		t.Errorf("too large: %v after %d bytes", err, e.n)
	}
	if s, err := spool.Seal(t.Context(), Image, bytes.NewReader(made(100_000)), 100_000); err != nil || s.Close() != nil {
		t.Errorf("as large as allowed: %v", err)
	}
	broken := errors.New("broken")
	if _, err := spool.Seal(t.Context(), Image, io.MultiReader(bytes.NewReader(made(70_000)), errReader{broken}), 0); !errors.Is(err, broken) {
		t.Errorf("a file that cannot be read: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := spool.Seal(ctx, Image, &e, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if _, err := spool.Seal(t.Context(), "thing", &e, 0); err == nil {
		t.Error("an unknown kind")
	}
	n := 0
	spool.o.Room = func(int64) error {
		if n++; n > 2 {
			return ErrDiskLow
		}
		return nil
	}
	if _, err := spool.Seal(t.Context(), Image, &e, 0); !errors.Is(err, ErrDiskLow) {
		t.Errorf("without room: %v", err)
	}
	if left := spool.files(t); len(left) != 0 {
		t.Errorf("left in the spool: %q", left)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// At the start what another process was sending is removed, and beginnings of downloads that nobody
// went on with for a day.
func TestSweep(t *testing.T) {
	spool := newSpool(t, Options{})
	for name, age := range map[string]time.Duration{"out-1": 0, "a.part": time.Hour, "b.part": 25 * time.Hour} {
		path := filepath.Join(spool.dir, name)
		must(t, os.WriteFile(path, nil, 0o600))
		at := time.Now().Add(-age)
		must(t, os.Chtimes(path, at, at))
	}
	if left := reopened(t, spool).files(t); len(left) != 1 || left[0] != "a.part" {
		t.Errorf("left in the spool: %q", left)
	}
}
