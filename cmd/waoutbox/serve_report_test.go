//go:build !windows

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"waoutbox/store"
)

// startedService is `serve` in this process, started as if by another one that awaits its report.
type startedService struct {
	report         *os.File
	stdout, stderr bytes.Buffer
	stop           context.CancelFunc
	code           chan int
}

func startService(t *testing.T, dir string, args ...string) *startedService {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	fd, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	getenv := func(key string) string {
		return map[string]string{"WAOUTBOX_STATE_DIR": dir, "WAOUTBOX_READY_FD": strconv.Itoa(fd)}[key]
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &startedService{report: r, stop: stop, code: make(chan int, 1)}
	args = append([]string{"serve", "--whatsapp-url", "ws://127.0.0.1:1/ws/chat", "--whatsapp-root-key", strings.Repeat("00", 32)}, args...)
	go func() { s.code <- run(ctx, args, getenv, strings.NewReader(""), &s.stdout, &s.stderr) }()
	return s
}

// end waits for the service's end.
func (s *startedService) end() int {
	s.stop()
	return <-s.code
}

// A service that another process started reports one line, then the pipe is closed while it runs
// on. It logs into serve.log.
func TestServeReportsThatItIsReady(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := startService(t, dir)
	text, err := io.ReadAll(s.report) // ends although the service goes on
	if err != nil {
		t.Fatal(err)
	}
	want := `{"ready":true,"pid":` + strconv.Itoa(os.Getpid()) + `,"version":"` + version + `"}` + "\n"
	if string(text) != want {
		t.Errorf("reported %q, want %q", text, want)
	}
	if _, held, err := store.ReadOwner(dir); err != nil || !held {
		t.Errorf("the service that is ready does not own its state: %v, %v", held, err)
	}
	if code := s.end(); code != exitOK {
		t.Errorf("exit %d: %s", code, s.stderr.String())
	}
	if line, _ := bufio.NewReader(&s.stdout).ReadString('\n'); !strings.Contains(line, "control.sock ready in ") {
		t.Errorf("the first line of its output is %q", line)
	}
	log, err := os.ReadFile(filepath.Join(dir, store.LogFile))
	if err != nil || !bytes.Contains(log, []byte(`msg="service started"`)) || !bytes.Contains(log, []byte("no account is linked")) {
		t.Errorf("its log: %s, %v", log, err)
	}
}

// A service that cannot start reports why, with the code for programs, after it has let go of the
// state.
func TestServeReportsWhyItCannotStart(t *testing.T) {
	taken := filepath.Join(t.TempDir(), "state")
	st, err := store.OpenState(t.Context(), taken, store.Options{Version: "9"})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	broken := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(filepath.Join(broken, store.SocketFile), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, dir, code, want string
		args                  []string
	}{
		{"state taken", taken, "internal", "another waoutbox (pid " + strconv.Itoa(os.Getpid()), nil},
		{"socket blocked", broken, "internal", "is there and is no socket. Move it away", nil},
		{"wrong setting", broken, "invalid_arguments", "max-in-flight", []string{"--max-in-flight", "-3"}},
		{"unusable state", filepath.Join(broken, store.LockFile), "state_unusable", "is not a directory", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := startService(t, tc.dir, tc.args...)
			text, err := io.ReadAll(s.report)
			if err != nil {
				t.Fatal(err)
			}
			if tc.dir == broken {
				if _, held, err := store.ReadOwner(tc.dir); err != nil || held {
					t.Errorf("it reported its end and still owns the state: %v, %v", held, err)
				}
			}
			var line struct {
				Error struct{ Code, Message string }
			}
			if err := json.Unmarshal(text, &line); err != nil || line.Error.Code != tc.code || !strings.Contains(line.Error.Message, tc.want) ||
				strings.Count(string(text), "\n") != 1 {
				t.Errorf("reported %q, %v", text, err)
			}
			if code := s.end(); code == exitOK {
				t.Errorf("exit %d", code)
			}
		})
	}
}
