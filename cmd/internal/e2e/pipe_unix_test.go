//go:build !windows

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// kill sends a signal to a process, or with a negative number to its group.
func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("signal %v to %d: %v", sig, pid, err)
	}
}

// A server that is ended while a call is open ends at once and well.
func TestPipeTermination(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serving()
	url, arrived, _ := slowEndpoint(t)
	r.mustRun("webhook", "add", url)
	p := r.pipe(nil)
	p.sendCall(1, "whatsapp_webhook_test", fmt.Sprintf(`{"url":%q}`, url))
	await(t, "the test arrives", arrived)
	kill(t, p.cmd.Process.Pid, syscall.SIGTERM)
	p.end()
	if r.status().Daemon == nil {
		t.Error("the service ended with it")
	}
}

// A call that is open when the service is killed fails in words; the next one starts the service
// again.
func TestPipeServiceKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serving()
	url, arrived, _ := slowEndpoint(t)
	r.mustRun("webhook", "add", url)
	p := r.pipe(nil)
	p.sendCall(1, "whatsapp_webhook_test", fmt.Sprintf(`{"url":%q}`, url))
	await(t, "the test arrives", arrived)
	first := r.status().Daemon
	kill(t, first.PID, syscall.SIGKILL)
	if l := p.response(1); l.Result == nil || !l.Result.IsError || !strings.HasPrefix(l.text(), "service_unavailable: ") {
		t.Errorf("the open call: %s", l.raw)
	}
	if l := p.call(2, "whatsapp_webhook_list", `{}`); l.Result == nil || l.Result.IsError {
		t.Errorf("the next call: %s", l.raw)
	}
	if second := r.status().Daemon; second == nil || second.PID == first.PID {
		t.Errorf("the service was %+v, and is %+v", first, second)
	}
}

// Twelve clients that call at the same moment start one service.
func TestPipeColdClients(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serving()
	const n = 12
	var pipes []*pipe
	for range n {
		pipes = append(pipes, r.pipe(nil))
	}
	if _, err := os.Stat(filepath.Join(r.stateDir, "serve.log")); err == nil {
		t.Error("a handshake started the service")
	}
	var wg sync.WaitGroup
	for _, p := range pipes {
		wg.Go(func() { p.sendCall(1, "whatsapp_webhook_list", `{}`) })
	}
	wg.Wait()
	for i, p := range pipes {
		if l := p.response(1); l.Result == nil || l.Result.IsError {
			t.Errorf("client %d: %s", i, l.raw)
		}
	}
	if log := r.mustRun("logs", "-n", "1000"); strings.Count(log, `msg="service started"`) != 1 {
		t.Errorf("it was not started once:\n%s", log)
	}
}

// The service outlives the process group of the client that started it, as agents end it.
func TestPipeGroupKilled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serving()
	p := r.pipe(func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} })
	if l := p.call(1, "whatsapp_webhook_list", `{}`); l.Result == nil || l.Result.IsError {
		t.Fatal(l.raw)
	}
	before := r.status().Daemon
	kill(t, -p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
	if after := r.status().Daemon; after == nil || after.PID != before.PID {
		t.Errorf("the service was %+v, and is %+v", before, after)
	}
}

// A server whose client has died ends although its input does not: some other process holds the
// pipe.
func TestPipeParentDies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	gate, gateIn, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer gateIn.Close()
	// The shell stays until its file 4 ends; what it started holds file 3.
	cmd := exec.Command("sh", "-c", `exec 3<&0; "$0" --state-dir "$1" mcp <&3 4<&- & read -r _ <&4`, binary, r.stateDir)
	cmd.ExtraFiles = []*os.File{nil, gate} // file 3 is not one of them
	p := startPipe(t, cmd)
	gate.Close()
	p.send(helloLine)
	if l := p.response("hello"); l.Error != nil {
		t.Fatalf("the handshake: %s", l.raw)
	}
	gateIn.Close()
	<-p.exited // the shell
	// The other end of the output ends with the last who holds it.
	select {
	case l, more := <-p.lines:
		if more {
			t.Errorf("nobody asked for %s", l.raw)
		}
	case <-time.After(pipeLimit):
		t.Error("it lives on")
	}
}

// Whatever keeps the service from running, the handshake and the list work, and every call says
// what is wrong and what to do.
func TestPipeDegraded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, r *rig)
		args    []string
		want    []string
	}{
		"not started": {args: []string{"--no-spawn"}, want: []string{"is not running", "waoutbox --state-dir ", " start"}},
		"a directory that others can write": {
			prepare: func(t *testing.T, r *rig) {
				if err := os.Chmod(r.stateDir, 0o777); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"can be written by", "chmod"},
		},
		"no directory": {
			prepare: func(_ *testing.T, r *rig) { r.stateDir = filepath.Join(r.stateDir, "config.json", "state") },
			want:    []string{"config.json"},
		},
		"a directory that is not named": {
			prepare: func(_ *testing.T, r *rig) { r.stateDir = "" },
			want:    []string{"--state-dir is empty"},
		},
		"owned in silence": {
			prepare: func(t *testing.T, r *rig) {
				l := flock.New(filepath.Join(r.stateDir, "lock"))
				if ok, err := l.TryLock(); !ok || err != nil {
					t.Fatalf("%v, %v", ok, err)
				}
				t.Cleanup(func() { l.Close() })
			},
			want: []string{"owns ", "does not answer", "end that process"},
		},
		"a service that is stopped": {
			prepare: func(t *testing.T, r *rig) {
				r.mustRun("start")
				pid := r.status().Daemon.PID
				kill(t, pid, syscall.SIGSTOP)
				t.Cleanup(func() { kill(t, pid, syscall.SIGCONT); r.run("stop") })
			},
			want: []string{"takes calls but does not answer", "end that process"},
		},
		"an outbox that is lost": {
			prepare: func(t *testing.T, r *rig) {
				r.mustRun("webhook", "add", "http://127.0.0.1:1/x", "--generate-secret")
				if err := os.Remove(filepath.Join(r.stateDir, "outbox.db")); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"could not start", "outbox.db"},
		},
		"a setting that is wrong": {
			prepare: func(t *testing.T, r *rig) {
				if err := os.WriteFile(filepath.Join(r.stateDir, "config.json"), []byte(`{"version":1,"retain":"1x"}`), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"could not start", "retain"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.mustRun("config", "set", "whatsapp-url", r.sim.URL())
			r.mustRun("config", "set", "whatsapp-root-key", r.sim.RootKey())
			if tt.prepare != nil {
				tt.prepare(t, r)
			}
			p := r.pipe(nil, tt.args...)
			p.send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
			if l := p.response(1); l.Result == nil || len(l.Result.Tools) == 0 {
				t.Errorf("the list: %s", l.raw)
			}
			l := p.call(2, "whatsapp_connection_status", `{}`)
			if l.Result == nil || !l.Result.IsError || !strings.HasPrefix(l.text(), "service_unavailable: ") {
				t.Errorf("the call: %s", l.raw)
			}
			for _, part := range tt.want {
				if !strings.Contains(l.text(), part) {
					t.Errorf("%q says nothing of %q", l.text(), part)
				}
			}
			p.in.Close()
			p.end()
		})
	}
}
