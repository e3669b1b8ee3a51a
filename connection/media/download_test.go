package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"waoutbox/connection/wasim"
)

// Media of every kind and of lengths around the blocks of the cipher arrive whole, and leave
// nothing behind.
func TestFetchEveryKind(t *testing.T) {
	s := newServers(t)
	spool := newSpool(t, Options{})
	for i, kind := range []wasim.MediaKind{wasim.Image, wasim.Video, wasim.Audio, wasim.Voice, wasim.Document, wasim.Sticker, wasim.Image} {
		plain := made([]int{0, 15, 16, 17, chunk, chunk + 1, 3*chunk - 10}[i])
		m, ref := s.sent(kind, plain)
		f, err := spool.Fetch(t.Context(), s, ref, 0)
		must(t, err)
		if got := content(t, f); !bytes.Equal(got, plain) {
			t.Errorf("%s of %d bytes: %d came", kind, len(plain), len(got))
		}
		info, err := os.Stat(filepath.Join(spool.dir, partName(ref)))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file in the spool: %v, %v", info.Mode(), err)
		}
		must(t, f.Close())
		if n := len(m.Requests()); n != 1 {
			t.Errorf("%d requests", n)
		}
	}
	if left := spool.files(t); len(left) != 0 {
		t.Errorf("left in the spool: %q", left)
	}
}

// A download that breaks off goes on where it stopped: within the call, and in another process.
//
// Mutation of servers.go: a download that broke off begins anew.
func TestDownloadGoesOn(t *testing.T) {
	s := newServers(t)
	spool := newSpool(t, Options{})
	plain := made(300_000)
	m, ref := s.sent(wasim.Document, plain)
	m.Cut(100_000, 2)
	f, err := spool.Fetch(t.Context(), s, ref, 0)
	must(t, err)
	if !bytes.Equal(content(t, f), plain) {
		t.Error("another file came")
	}
	must(t, f.Close())
	var ranges []string
	for _, r := range m.Requests() {
		ranges = append(ranges, r.Range)
	}
	if got := strings.Join(ranges, " "); got != " bytes=100000- bytes=200000-" {
		t.Errorf("asked for %q", got)
	}

	m, ref = s.sent(wasim.Document, plain)
	m.Cut(120_000, 1)
	ctx, cancel := context.WithCancel(t.Context())
	spool.o.Room = cancelAt(cancel, 2) // the process ends as the second part is about to come
	if _, err := spool.Fetch(ctx, s, ref, 0); !errors.Is(err, context.Canceled) {
		t.Fatalf("a fetch that was given up: %v", err)
	}
	f, err = reopened(t, newSpoolAt(spool)).Fetch(t.Context(), s, ref, 0)
	must(t, err)
	if !bytes.Equal(content(t, f), plain) {
		t.Error("another file came after the restart")
	}
	must(t, f.Close())
	got := m.Requests()
	if last := got[len(got)-1].Range; last != "bytes=120000-" {
		t.Errorf("after the restart it asked for %q", last)
	}
}

// cancelAt ends a context when room is asked for the nth time.
func cancelAt(cancel func(), nth int) func(int64) error {
	return func(int64) error {
		if nth--; nth == 0 {
			cancel()
			return context.Canceled
		}
		return nil
	}
}

// newSpoolAt is a spool on the same directory without the options for a test.
func newSpoolAt(s *Spool) *Spool { return &Spool{dir: s.dir, o: Options{Pause: s.o.Pause}} }

// What a server without ranges sends is taken from its beginning.
func TestServerWithoutRanges(t *testing.T) {
	s := newServers(t)
	plain := made(200_000)
	m, ref := s.sent(wasim.Video, plain)
	m.Cut(50_000, 1)
	m.IgnoreRanges()
	f, err := newSpool(t, Options{}).Fetch(t.Context(), s, ref, 0)
	must(t, err)
	if !bytes.Equal(content(t, f), plain) {
		t.Error("another file came")
	}
	must(t, f.Close())
}

// A file that is whole in the spool, since its reader went away, is not fetched again.
func TestFileLeftInTheSpool(t *testing.T) {
	s := newServers(t)
	spool := newSpool(t, Options{})
	m, ref := s.sent(wasim.Image, made(10_000))
	for range 2 {
		f, err := spool.Fetch(t.Context(), s, ref, 0)
		must(t, err)
		must(t, f.Leave())
	}
	if n := len(m.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// What does not fit its message is refused and leaves nothing; what was begun with other bytes is
// fetched anew.
//
// Mutation of crypt.go: a file with another content than its message tells is given out.
func TestDamagedFiles(t *testing.T) {
	s := newServers(t)
	spool := newSpool(t, Options{})
	plain := made(100_000)
	m, ref := s.sent(wasim.Image, plain)
	wrong := made(hashLen)
	for name, r := range map[string]Ref{
		"hash of the file":           {Kind: ref.Kind, Path: ref.Path, Key: ref.Key, Hash: wrong, FileHash: ref.FileHash},
		"hash of the encrypted file": {Kind: ref.Kind, Path: ref.Path, Key: ref.Key, Hash: ref.Hash, FileHash: wrong},
		"key":                        {Kind: ref.Kind, Path: ref.Path, Key: wrong, Hash: ref.Hash, FileHash: ref.FileHash},
		"key, and no hash":           {Kind: ref.Kind, Path: ref.Path, Key: wrong, Hash: ref.Hash},
		"kind":                       {Kind: Document, Path: ref.Path, Key: ref.Key, Hash: ref.Hash, FileHash: ref.FileHash},
		"not encrypted":              {Kind: ref.Kind, Path: ref.Path, Hash: ref.Hash},
	} {
		if _, err := spool.Fetch(t.Context(), s, r, 0); !errors.Is(err, ErrDamaged) {
			t.Errorf("wrong %s: %v", name, err)
		}
	}
	must(t, os.WriteFile(filepath.Join(spool.dir, partName(ref)), made(40_000), 0o600))
	f, err := spool.Fetch(t.Context(), s, ref, 0)
	must(t, err)
	if !bytes.Equal(content(t, f), plain) {
		t.Error("another file came")
	}
	must(t, f.Close())
	m.Damage()
	if _, err := spool.Fetch(t.Context(), s, ref, 0); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged file: %v", err)
	}
	if left := spool.files(t); len(left) != 0 {
		t.Errorf("left in the spool: %q", left)
	}
}

// A file the servers have dropped is asked for at the phone, once.
func TestDroppedFiles(t *testing.T) {
	s := newServers(t)
	spool := newSpool(t, Options{})
	plain := made(50_000)
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusGone} {
		m, ref := s.sent(wasim.Image, plain)
		m.Expire(status)
		s.again = func() (string, error) { return "", fmt.Errorf("%w: the phone says no", ErrExpired) }
		if _, err := spool.Fetch(t.Context(), s, ref, 0); !errors.Is(err, ErrExpired) {
			t.Errorf("%d, and not on the phone: %v", status, err)
		}
		// the phone uploads the same encrypted file
		m.Expire(0)
		ref.Path = "/v/gone?x=1"
		s.again = func() (string, error) { return m.Path(), nil }
		f, err := spool.Fetch(t.Context(), s, ref, 0)
		must(t, err)
		if !bytes.Equal(content(t, f), plain) {
			t.Error("another file came")
		}
		must(t, f.Close())
		s.again = func() (string, error) { return "/v/gone?x=2", nil }
		before := s.asked
		if _, err := spool.Fetch(t.Context(), s, ref, 0); !errors.Is(err, ErrExpired) || s.asked != before+1 {
			t.Errorf("gone again: %v after %d questions", err, s.asked-before)
		}
	}
	if left := spool.files(t); len(left) != 0 {
		t.Errorf("left in the spool: %q", left)
	}
}

// A server that is down is tried a few times; what came of the file stays.
func TestServerDown(t *testing.T) {
	s := newServers(t)
	spool := newSpool(t, Options{})
	m, ref := s.sent(wasim.Image, made(50_000))
	m.Expire(http.StatusInternalServerError)
	if _, err := spool.Fetch(t.Context(), s, ref, 0); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a server that is down: %v", err)
	}
	if n := len(m.Requests()); n != tries {
		t.Errorf("%d requests", n)
	}
	m.Expire(http.StatusFound) // a redirect is a refusal
	if _, err := spool.Fetch(t.Context(), s, ref, 0); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a redirect: %v", err)
	}
	if n := len(m.Requests()); n != tries+1 {
		t.Errorf("%d requests", n)
	}
}

// Limits: of the size, as told and as it comes, and of the disk.
func TestFetchLimits(t *testing.T) {
	s := newServers(t)
	spool := newSpool(t, Options{Room: func(more int64) error {
		if more > 1<<20 {
			return ErrDiskLow
		}
		return nil
	}})
	_, ref := s.sent(wasim.Document, made(500_000))
	if _, err := spool.Fetch(t.Context(), s, ref, 499_999); !errors.Is(err, ErrTooLarge) {
		t.Errorf("larger than the limit: %v", err)
	}
	ref.Length = 0 // the message does not say
	if _, err := spool.Fetch(t.Context(), s, ref, 100_000); !errors.Is(err, ErrTooLarge) {
		t.Errorf("larger than the limit, untold: %v", err)
	}
	_, big := s.sent(wasim.Document, made(2<<20))
	if _, err := spool.Fetch(t.Context(), s, big, 0); !errors.Is(err, ErrDiskLow) {
		t.Errorf("without room: %v", err)
	}
	for _, bad := range []Ref{{}, {Kind: "thing", Path: ref.Path, Key: ref.Key, Hash: ref.Hash}, {Kind: Image, Path: ref.Path, Key: ref.Key}} {
		if _, err := spool.Fetch(t.Context(), s, bad, 0); !errors.Is(err, ErrNoMedia) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// Callers who want the same file at once get it one after the other, and it is fetched once.
func TestFetchTheSameAtOnce(t *testing.T) {
	s := newServers(t)
	spool := newSpool(t, Options{})
	m, ref := s.sent(wasim.Image, made(100_000))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			f, err := spool.Fetch(t.Context(), s, ref, 0)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, f.Open()); err != nil {
				t.Error(err)
			}
			if err := f.Leave(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(m.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// Only the path comes from the message: it cannot name another host.
//
// Mutation of servers.go: a sender's path names another host.
func TestPathsCannotSteer(t *testing.T) {
	for _, path := range []string{"//evil.example/x?a", "/@evil.example/x?a", "/v/x?a=b", "/v/x", "/../x?", "/%2e%2e/x?", "/x?u=http://evil.example"} {
		at, err := address("mmg.whatsapp.net", Ref{Kind: Image, Path: path})
		if err != nil || !strings.HasPrefix(at, "https://mmg.whatsapp.net/") {
			t.Errorf("%q: %s, %v", path, at, err)
		}
	}
	for _, path := range []string{"", "evil.example/x", "@evil.example/x", ".evil.example/", ":1234/x", "http://evil.example/", "/x#y", "/x\r\nHost: evil", "/a b", `\\evil\x`, `/\evil`, "/%zz"} {
		if at, err := address("mmg.whatsapp.net", Ref{Kind: Image, Path: path}); err == nil {
			t.Errorf("%q is fetched from %s", path, at)
		}
	}
}

// WhatsApp's servers cannot send a download elsewhere, and an error of theirs shows no address,
// which has a token in it.
//
// Mutation of whatsapp.go: WhatsApp's servers send a download elsewhere.
func TestWhatsAppFollowsNoRedirect(t *testing.T) {
	elsewhere := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { elsewhere++ })
	mux.HandleFunc("/v/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	srv := httptest.NewServer(mux)
	w := NewWhatsApp(nil, srv.Client())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/v/x?auth=secret", nil)
	must(t, err)
	resp, err := w.Do(req)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound || elsewhere > 0 {
		t.Errorf("status %d, and %d requests elsewhere", resp.StatusCode, elsewhere)
	}
	srv.Close()
	_, err = w.Do(req) //nolint:bodyclose // there is none
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a server that is gone: %v", err)
	}
}
