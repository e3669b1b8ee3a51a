// Package e2e runs the real binary as a user would: real processes killed with SIGKILL, real
// sockets, a real bbolt file, the unmodified WhatsApp library against the simulator, real HTTP
// receivers, the official MCP client.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// binary is the built program, or the one that programVar names. It is set once in TestMain and
// never changes.
var binary string

// programVar names another program to test in the place of the one that is built here: .ci/windows
// has one that runs the program for Windows.
const programVar = "WAOUTBOX_TEST_PROGRAM"

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "waoutbox-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "waoutbox")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if program := os.Getenv(programVar); program != "" {
		binary = program
		_ = os.Unsetenv(programVar) // it is no setting of the program
	} else {
		build := exec.Command("go", "build", "-o", binary, "waoutbox/cmd/waoutbox")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the program under test: %v\n%s", err, out)
			return 1
		}
	}
	if err := overlap(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// overlap has more tests run at a time than there are processors, unless -parallel says how many:
// most of them wait, for a schedule or another process.
func overlap() error {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
}

// noteSources looks at every file the program is built from. The go command keeps a passed result
// until a file that a test looked at changes (from m.Run on, so TestMain is too early), and of what
// a `go build` reads it knows nothing.
func noteSources(t *testing.T) {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
				return filepath.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".go", ".mod", ".sum", ".json":
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// rig is one machine: a state directory, a simulated WhatsApp with one phone, and the daemon.
type rig struct {
	t        *testing.T
	stateDir string
	sim      *wasim.Server
	phone    *wasim.Account
	daemon   *exec.Cmd
	exited   chan struct{}
	output   *lockedBuffer
	agentEnv []string // besides that of this process
}

// newRig makes the machine. The daemon is not started.
func newRig(t *testing.T) *rig {
	t.Helper()
	noteSources(t)
	sim, err := wasim.New(wasim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, stateDir: filepath.Join(shortDir(t), "state"), sim: sim, phone: sim.NewAccount("491515550100", "Alice"), output: &lockedBuffer{}}
	t.Cleanup(func() {
		r.kill()
		if err := sim.Close(); err != nil {
			t.Errorf("close the simulator: %v", err)
		}
		if t.Failed() {
			t.Logf("daemon output:\n%s", r.output.tail(20<<10))
		}
	})
	return r
}

// needs skips a test where a program is absent that it runs; .ci/run has that fail.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("WAOUTBOX_REQUIRE_TOOLS") != "" {
				t.Fatal(err)
			}
			t.Skipf("it runs another program: %v", err)
		}
	}
}

// shortDir is a temporary directory whose path leaves room for a unix socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// serve starts the daemon and returns when it is ready.
func (r *rig) serve(extra ...string) {
	r.t.Helper()
	args := append([]string{"serve", "--state-dir", r.stateDir, "--whatsapp-url", r.sim.URL(), "--whatsapp-root-key", r.sim.RootKey()}, extra...)
	cmd := exec.Command(binary, args...)
	from := r.output.len()
	cmd.Stdout, cmd.Stderr = r.output, r.output
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	exited := make(chan struct{})
	r.daemon, r.exited = cmd, exited
	go func() { defer close(exited); _ = cmd.Wait() }()
	r.until("the daemon is ready", func() bool {
		select {
		case <-exited:
			r.t.Fatalf("the daemon ended at start:\n%s", r.output.tail(4<<10))
		default:
		}
		return strings.Contains(r.output.since(from), "control.sock ready")
	})
}

// kill ends the daemon with SIGKILL. A no-op when it does not run.
func (r *rig) kill() {
	if r.daemon == nil {
		return
	}
	_ = r.daemon.Process.Kill() // it may have ended by itself
	<-r.exited
	r.daemon = nil
}

// stop ends the daemon as a person would.
func (r *rig) stop() {
	r.t.Helper()
	r.mustRun("stop")
	<-r.exited
	r.daemon = nil
}

// result is what one command printed.
type result struct {
	stdout, stderr string
	code           int
}

// run runs one command on the rig's state.
func (r *rig) run(args ...string) result { return r.runWith("", args...) }

func (r *rig) runWith(stdin string, args ...string) result {
	r.t.Helper()
	// Not the test's context: cleanups run commands too.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"--state-dir", r.stateDir}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	err := cmd.Run()
	if _, isExit := errors.AsType[*exec.ExitError](err); err != nil && !isExit {
		r.t.Fatalf("waoutbox %s: %v", strings.Join(args, " "), err)
	}
	return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// mustRun runs a command that must succeed.
func (r *rig) mustRun(args ...string) string {
	r.t.Helper()
	res := r.run(args...)
	if res.code != 0 {
		r.t.Fatalf("waoutbox %s: exit %d\n%s%s", strings.Join(args, " "), res.code, res.stdout, res.stderr)
	}
	return res.stdout
}

// lines runs a command with --json and reads one T per line.
func lines[T any](r *rig, args ...string) []T {
	r.t.Helper()
	dec := json.NewDecoder(strings.NewReader(r.mustRun(append(args, "--json")...)))
	out := []T{}
	for {
		var v T
		if err := dec.Decode(&v); err == io.EOF {
			return out
		} else if err != nil {
			r.t.Fatalf("waoutbox %s: %v", strings.Join(args, " "), err)
		}
		out = append(out, v)
	}
}

// one runs a command with --json that prints one object.
func one[T any](r *rig, args ...string) T {
	r.t.Helper()
	all := lines[T](r, args...)
	if len(all) != 1 {
		r.t.Fatalf("waoutbox %s printed %d objects, want 1", strings.Join(args, " "), len(all))
	}
	return all[0]
}

func (r *rig) status() api.Status { r.t.Helper(); return one[api.Status](r, "status") }

// pair links the account with the program's own command, as a person does with phone and browser,
// and returns the steps that the command showed.
func (r *rig) pair(extra ...string) (steps []string) {
	r.t.Helper()
	return r.pairTo(io.Discard, extra...)
}

// pairTo is pair, with what the command prints.
func (r *rig) pairTo(printed io.Writer, extra ...string) (steps []string) {
	r.t.Helper()
	return r.pairSigned(printed, func(response []byte) {
		if res := r.runWith(string(response), "pair", "passkey", "-"); res.code != 0 {
			r.t.Fatalf("pair passkey: %+v", res)
		}
	}, extra...)
}

// pairSigned is pairTo, with what hands the phone's response over where it wants a passkey.
func (r *rig) pairSigned(printed io.Writer, handOver func(response []byte), extra ...string) (steps []string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"--state-dir", r.stateDir, "pair", "--json"}, extra...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	phone := make(chan error, 1) // it waits for the rest of the pairing
	used := false
	for dec := json.NewDecoder(io.TeeReader(out, printed)); ; {
		var step api.PairStep
		if dec.Decode(&step) != nil {
			break
		}
		steps = append(steps, step.Step)
		switch {
		case step.Step == api.StepQR && !used:
			used = true
			go func() { phone <- r.phone.ScanQR(ctx, step.QR) }()
		case step.Step == api.StepCode && !used:
			used = true
			go func() { phone <- r.phone.EnterCode(ctx, step.Code) }()
		case step.Step == api.StepPasskey:
			response, err := r.phone.SignPasskey(step.Passkey.Request)
			if err != nil {
				r.t.Fatal(err)
			}
			handOver(response)
		}
	}
	if err := cmd.Wait(); err != nil || !slices.Contains(steps, api.StepLinked) {
		r.t.Fatalf("pair: steps %q, %v: %s", steps, err, errOut.String())
	}
	if err := <-phone; err != nil {
		r.t.Fatalf("the phone: %v", err)
	}
	if err := r.phone.WaitOnline(ctx); err != nil {
		r.t.Fatal(err)
	}
	return steps
}

// receiver starts an endpoint.
func (r *rig) receiver(o receiver.Options) *receiver.Receiver {
	r.t.Helper()
	recv := receiver.New(o)
	if err := recv.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { recv.Close() })
	return recv
}

// addWebhook registers an endpoint with a secret, for the events named.
func (r *rig) addWebhook(url, secret string, events ...string) api.Webhook {
	r.t.Helper()
	args := []string{"webhook", "add", url, "--json"}
	for _, e := range events {
		args = append(args, "--event", e)
	}
	if secret != "" {
		args = append(args, "--secret-stdin")
	}
	res := r.runWith(secret, args...)
	if res.code != 0 {
		r.t.Fatalf("webhook add: exit %d: %s%s", res.code, res.stdout, res.stderr)
	}
	var w api.Webhook
	if err := json.Unmarshal([]byte(res.stdout), &w); err != nil || w.ID == "" {
		r.t.Fatalf("webhook add printed %q: %v", res.stdout, err)
	}
	return w
}

// patience is how long anything may take, on a machine that is busy with much else. It ends what
// would never come and decides no test.
const patience = 4 * time.Minute

// nextIs reports whether out names a command on this state as the next one. A program for Windows
// calls the directory by a path of its own.
func (r *rig) nextIs(out, command string) bool {
	home := regexp.QuoteMeta(filepath.Base(filepath.Dir(r.stateDir)))
	return regexp.MustCompile(`Next: waoutbox --state-dir \S*` + home + `[/\\]state ` + regexp.QuoteMeta(command)).MatchString(out)
}

// until polls a condition.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(10 * time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited %s until %s", patience, what)
		}
	}
}

// within bounds a wait by d, or by patience where that is longer.
func (r *rig) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(r.t.Context(), max(d, patience))
	r.t.Cleanup(cancel)
	return ctx
}
