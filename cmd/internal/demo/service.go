package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// service is the daemon under demonstration: a child process that can be killed, and the command
// line beside it.
type service struct {
	exe      string
	stateDir string
	flags    []string // settings of serve
	logPath  string
	cmd      *exec.Cmd
	exited   chan struct{}
}

func newService(exe, stateDir string, flags ...string) *service {
	return &service{exe: exe, stateDir: stateDir, flags: flags, logPath: filepath.Join(filepath.Dir(stateDir), "serve.log")}
}

// start runs `serve` and returns when it is ready.
func (s *service) start(ctx context.Context) error {
	log, err := os.OpenFile(s.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the service's log: %w", err)
	}
	defer log.Close()
	s.cmd = exec.Command(s.exe, append([]string{"serve", "--state-dir", s.stateDir}, s.flags...)...)
	s.cmd.Env = cleanEnv()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the service: %w", err)
	}
	exited := make(chan struct{})
	s.exited = exited
	cmd := s.cmd
	go func() {
		defer close(exited)
		_ = cmd.Wait() // its end is what matters; why is in the log
	}()
	for {
		var st struct {
			Daemon *struct {
				PID int `json:"pid"`
			} `json:"daemon"`
		}
		select {
		case <-exited:
			return errors.New("the service ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("wait for the service: %w", ctx.Err())
		default:
		}
		// Asking before the daemon holds the lock would run on the state itself and keep the daemon
		// out, so ask only once the line on its standard output says it is
		// ready.
		if s.readyLogged() && s.json(ctx, &st, "status", "--json") == nil && st.Daemon != nil && st.Daemon.PID == cmd.Process.Pid {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// readyLogged reports whether the running process has printed that it is ready.
func (s *service) readyLogged() bool {
	b, err := os.ReadFile(s.logPath)
	return err == nil && bytes.Contains(b[min(len(b), s.logStart()):], []byte("control.sock ready"))
}

// logStart finds where the output of the running process begins: after the marker the kill left.
func (s *service) logStart() int {
	b, err := os.ReadFile(s.logPath)
	if err != nil {
		return 0
	}
	return max(0, bytes.LastIndex(b, []byte(killMark)))
}

const killMark = "-- killed with SIGKILL --\n"

// kill ends the service the hard way and waits until it is gone.
func (s *service) kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill the service: %w", err)
	}
	<-s.exited
	f, err := os.OpenFile(s.logPath, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(killMark)
	return errors.Join(err, f.Close())
}

// stop ends the service the soft way, and the hard way if that takes long. A no-op when it does not
// run.
func (s *service) stop() error {
	if s.cmd == nil {
		return nil
	}
	select {
	case <-s.exited:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	err := s.json(ctx, nil, "stop", "--json")
	select {
	case <-s.exited:
		return nil
	case <-ctx.Done():
	}
	return errors.Join(err, s.cmd.Process.Kill(), wait(s.exited))
}

func wait(done <-chan struct{}) error { <-done; return nil }

// json runs one command and reads the JSON it prints into out: an object, or a slice for one object
// per line. nil ignores it.
func (s *service) json(ctx context.Context, out any, args ...string) error {
	return s.run(ctx, nil, out, args...)
}

func (s *service) run(ctx context.Context, stdin io.Reader, out any, args ...string) error {
	text, err := s.output(ctx, stdin, args...)
	if err != nil || out == nil {
		return err
	}
	return readJSON(strings.NewReader(text), out, args)
}

// output runs one command and returns what it printed.
func (s *service) output(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.exe, append([]string{"--state-dir", s.stateDir}, args...)...)
	cmd.Env = cleanEnv()
	cmd.Stdin = stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil { // it was killed for that, which only looks like a failure of its own
			err = ctx.Err()
		}
		return "", fmt.Errorf("waoutbox %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

func readJSON(r io.Reader, out any, args []string) error {
	if lines, ok := out.(*[]deadLetter); ok {
		for dec := json.NewDecoder(r); ; {
			var l deadLetter
			if err := dec.Decode(&l); err == io.EOF {
				return nil
			} else if err != nil {
				return fmt.Errorf("read the output of waoutbox %s: %w", strings.Join(args, " "), err)
			}
			*lines = append(*lines, l)
		}
	}
	if err := json.NewDecoder(r).Decode(out); err != nil {
		return fmt.Errorf("read the output of waoutbox %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// pair runs `pair --json`, hands the first code to scan, and returns the account that was linked.
func (s *service) pair(ctx context.Context, scan func(qr string) error) (account string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.exe, "--state-dir", s.stateDir, "pair", "--json")
	cmd.Env = cleanEnv()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("waoutbox pair: %w", err)
	}
	scanned := false
	for lines := bufio.NewScanner(out); account == "" && err == nil && lines.Scan(); {
		var step struct{ Step, QR, Account string }
		if err = json.Unmarshal(lines.Bytes(), &step); err != nil {
			break
		}
		switch {
		case step.Step == "qr" && !scanned:
			scanned, err = true, scan(step.QR)
		case step.Step == "linked":
			account = step.Account
		}
	}
	if err != nil {
		cancel()
	}
	waitErr := cmd.Wait()
	if err == nil && account == "" {
		err = errors.Join(fmt.Errorf("no account was linked by waoutbox pair: %s", strings.TrimSpace(stderr.String())), waitErr)
	}
	return account, err
}

// lastLog is the end of the service's log, as an error to show beside the one that ended the demo.
func (s *service) lastLog() error {
	b, err := os.ReadFile(s.logPath)
	if err != nil {
		return nil
	}
	const tail = 2 << 10
	return fmt.Errorf("the end of the service's log:\n%s", b[max(0, len(b)-tail):])
}

// cleanEnv keeps the user's settings out of the demo: WAOUTBOX_… would point it somewhere else.
func cleanEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "WAOUTBOX_") {
			env = append(env, kv)
		}
	}
	return env
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
