package attach

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

// read opens a file and reads it.
func read(t *testing.T, s *Sources, in api.File) (content, name string, err error) {
	t.Helper()
	f, err := s.Open(t.Context(), in, true)
	if err != nil {
		return "", "", err
	}
	b, err := io.ReadAll(f)
	return string(b), s.Name(in), errors.Join(err, f.Close())
}

func newSources(t *testing.T, state string, dirs ...string) *Sources {
	t.Helper()
	sender := webhook.New(webhook.Options{Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(sender.Close)
	return New(Options{Dirs: dirs, StateDir: state, CheckURL: webhook.CheckURL, HTTP: sender.FetchClient(false), Public: sender.FetchClient(true), Lists: func(string) bool { return false }})
}

// A path is opened inside a directory that was set aside, and nowhere else: not by its dots, not by
// a link that leads out, and never in the state directory.
//
// Mutation of attach.go: the state directory is sent, because it lies in a directory that was set
// aside.
func TestPaths(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	open, state := filepath.Join(base, "open"), filepath.Join(base, "open", "state")
	write(t, filepath.Join(open, "sub", "a b.pdf"), "inside")
	write(t, filepath.Join(base, "secret"), "outside")
	write(t, filepath.Join(base, "opener"), "named alike")
	write(t, filepath.Join(state, "key"), "the key")
	must(t, os.Mkdir(filepath.Join(open, "dir"), 0o700))
	for name, to := range map[string]string{
		"out": filepath.Join(base, "secret"), "up": "../secret", "inside": "sub/a b.pdf", "wayout": base, "own": "state/key", "ownstate": "state",
	} {
		must(t, os.Symlink(to, filepath.Join(open, name)))
	}
	s := newSources(t, state, filepath.Join(base, "none"), open)
	for _, path := range []string{"sub/a b.pdf", "./sub/../sub/a b.pdf", "inside"} {
		content, name, err := read(t, s, api.File{Path: open + "/" + path})
		if err != nil || content != "inside" || name != filepath.Base(path) {
			t.Errorf("%s: %q named %q, %v", path, content, name, err)
		}
	}
	for path, code := range map[string]api.Code{
		open + "/../secret": api.CodePathNotAllowed, open + "/out": api.CodePathNotAllowed, open + "/up": api.CodePathNotAllowed,
		open + "/wayout/secret": api.CodePathNotAllowed, base + "/secret": api.CodePathNotAllowed, base + "/opener": api.CodePathNotAllowed,
		open + "/state/key": api.CodePathNotAllowed, open + "/own": api.CodePathNotAllowed, open + "/ownstate/key": api.CodePathNotAllowed,
		open + "/dir": api.CodePathNotAllowed, open: api.CodePathNotAllowed, "sub/a b.pdf": api.CodePathNotAllowed, "/etc/passwd": api.CodePathNotAllowed,
		open + "/none.pdf": api.CodeMediaUnavailable,
	} {
		if content, _, err := read(t, s, api.File{Path: path}); api.CodeOf(err) != code {
			t.Errorf("%s: %q, %v", path, content, err)
		}
	}
	if _, _, err := read(t, newSources(t, state), api.File{Path: open + "/inside"}); api.CodeOf(err) != api.CodePathNotAllowed || !strings.Contains(err.Error(), "config set media-dirs") {
		t.Errorf("without directories: %v", err)
	}
	if _, _, err := read(t, newSources(t, state, state), api.File{Path: state + "/key"}); api.CodeOf(err) != api.CodePathNotAllowed {
		t.Errorf("the state set aside: %v", err)
	}
	for _, in := range []api.File{{}, {Path: open + "/inside", URL: "http://127.0.0.1/"}} {
		if _, _, err := read(t, s, in); api.CodeOf(err) != api.CodeInvalidArguments {
			t.Errorf("%+v: %v", in, err)
		}
	}
}

// A URL is fetched from where deliveries may go; redirects, errors and files that break off are
// told by their host alone.
func TestURLs(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/a/report.pdf", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("fetched")) })
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/a/report.pdf", http.StatusFound) })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "300000000000") })
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	srv.Start()
	defer srv.Close()
	s := newSources(t, t.TempDir())
	if content, name, err := read(t, s, api.File{URL: srv.URL + "/a/report.pdf?token=secret"}); err != nil || content != "fetched" || name != "report.pdf" {
		t.Errorf("%q named %q, %v", content, name, err)
	}
	for target, code := range map[string]api.Code{
		srv.URL + "/to?token=secret": api.CodeMediaUnavailable, srv.URL + "/none?token=secret": api.CodeMediaUnavailable, srv.URL + "/cut?token=secret": api.CodeMediaUnavailable,
		srv.URL + "/huge": api.CodeMediaTooLarge, "http://127.0.0.1:1/?token=secret": api.CodeMediaUnavailable,
		"http://169.254.169.254/latest": api.CodeInvalidURL, "http://[fd00:ec2::254]/": api.CodeInvalidURL, "file:///etc/passwd": api.CodeInvalidURL,
		"http://user:secret@127.0.0.1/": api.CodeInvalidURL, "http://93.184.215.14/x": api.CodeInvalidURL, "/etc/passwd": api.CodeInvalidURL,
	} {
		_, _, err := read(t, s, api.File{URL: target})
		if api.CodeOf(err) != code || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// What only programs of this machine and its network can read is no agent's to send out: it names a
// URL there, and gets it fetched only where its user allowed the host.
//
// Mutation of attach.go: a file that an agent names by its URL is fetched from a private network,
// though its user allowed no host there.
func TestAnAgentSendsNothingFromPrivateNetworks(t *testing.T) {
	called := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		called++
		_, _ = w.Write([]byte("of an administrator's page"))
	}))
	defer srv.Close()
	s := newSources(t, t.TempDir())
	// by its name too; whatever it resolves to is this machine
	for _, target := range []string{srv.URL + "/admin", strings.Replace(srv.URL, "127.0.0.1", "localhost", 1) + "/admin"} {
		f, err := s.Open(t.Context(), api.File{URL: target}, false)
		if err == nil {
			f.Close()
		}
		if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != api.CodeInvalidURL || e.Retryable || !strings.Contains(e.Message, "waoutbox webhook allow HOST") || called != 0 {
			t.Fatalf("%s: %v; called %d times", target, err, called)
		}
	}
	s.o.Lists = func(checked string) bool { return checked == srv.URL+"/admin" }
	f, err := s.Open(t.Context(), api.File{URL: srv.URL + "/admin"}, false)
	if err != nil {
		t.Fatalf("allowed: %v", err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || len(b) == 0 || called != 1 {
		t.Errorf("allowed: %q, %v; called %d times", b, err, called)
	}
}

// The addresses are judged as they are dialled: a name does not help.
func TestURLsByName(t *testing.T) {
	s := newSources(t, t.TempDir())
	client := s.o.HTTP
	for _, target := range []string{"http://169.254.169.254/", "https://169.254.169.254/", "http://93.184.215.14/"} {
		resp, err := client.Get(target)
		if err == nil {
			resp.Body.Close()
		}
		var refused *webhook.AddressError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestName(t *testing.T) {
	for base, want := range map[string]string{
		"a.pdf": "a.pdf", "": "", "a\x00b\n.pdf": "ab.pdf", strings.Repeat("ü", 300) + ".pdf": strings.Repeat("ü", 96) + ".pdf",
		"a." + strings.Repeat("x", 300): "a." + strings.Repeat("x", 98), "..\\x": "..x",
	} {
		if runtime.GOOS == "windows" && strings.Contains(base, "\\") {
			continue
		}
		if got := Name(base); got != want {
			t.Errorf("%q becomes %q", base, got)
		}
	}
}
