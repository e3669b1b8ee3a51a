package parent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// roleEnv makes this test binary one of the processes of the tests.
const roleEnv = "PARENT_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "parent":
		startWatcher()
		os.Exit(0)
	case "watcher":
		// whatever the test does
		limited, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		watched, release := Watch(limited)
		fmt.Println("watching")
		<-watched.Done()
		fmt.Println("ended:", context.Cause(watched))
		release()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// startWatcher starts a process with this one's pipes, and returns when stdin says so.
func startWatcher() {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"=watcher")
	cmd.Stdout = os.Stdout
	if err := cmd.Start(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // its end says so too
}

// A process notices that the one that started it has ended, and not before.
//
// Mutation of parent.go: a session outlives its client when something else holds the pipe.
func TestWatch(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"=parent")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe() // not cmd's: Wait would wait for the watcher too
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	stop := time.AfterFunc(30*time.Second, func() { out.Close() }) // no test waits it out
	defer stop.Stop()
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "watching\n" {
		t.Fatalf("%q, %v", line, err)
	}
	in.Close() // the parent ends
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	rest, err := io.ReadAll(lines)
	if want := "ended: " + ErrEnded.Error() + "\n"; string(rest) != want || err != nil {
		t.Errorf("%q, %v, want %q", rest, err, want)
	}
}

// The watch ends with its context, and with its release.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	cause := errors.New("over")
	ctx, cancel := context.WithCancelCause(t.Context())
	watched, release := Watch(ctx)
	cancel(cause)
	<-watched.Done()
	if got := context.Cause(watched); !errors.Is(got, cause) {
		t.Errorf("its cause is %v", got)
	}
	release()
	watched, release = Watch(t.Context())
	release()
	if err := watched.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("after release: %v", err)
	}
	if strings.Contains(context.Cause(watched).Error(), ErrEnded.Error()) {
		t.Error("a release is taken for the parent's end")
	}
}
