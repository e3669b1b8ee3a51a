package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/spf13/pflag"
)

// followedDir is the variable with the directory where scripts note which commands were followed.
const followedDir = "WAOUTBOX_TEST_FOLLOWED"

// brokenNext is the exit code of a command that names a next one which is none.
const brokenNext = 97

// scriptMain is main as scripts run it. What a command names as the next one is followed in the
// state that it left: it must be a command, and one that only reads is run there, each kind once in
// all scripts. The scripts themselves run those that change something.
func scriptMain() {
	dir := os.Getenv(followedDir)
	if dir == "" || len(os.Args) < 2 || slices.Contains([]string{"serve", "mcp", "demo", "listen", "logs"}, os.Args[1]) || slices.Contains(os.Args, "--json") {
		main() // it lasts, or is for programs
	}
	forbidDumps()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	log.SetOutput(io.Discard)
	said := &printed{}
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdin, io.MultiWriter(os.Stdout, said), io.MultiWriter(os.Stderr, said))
	for _, line := range printedCommands(said.text()) {
		if err := followNext(dir, line); err != nil {
			fmt.Fprintf(os.Stderr, "it says to run `waoutbox %s`: %v\n", line, err)
			code = brokenNext
		}
	}
	os.Exit(code)
}

// printed is what a command printed on both ways, as much as is looked at.
type printed struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.buf.Len() < 1<<20 {
		p.buf.Write(b)
	}
	return len(b), nil
}

func (p *printed) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

// reading are the commands that are run: they change nothing and end by themselves.
var reading = regexp.MustCompile(`^(status|deadletter|webhook (list|show)|event (list|show)|audit|config (list|get)|hosts)\b`)

// named are ids, which are others each time.
var named = regexp.MustCompile(`(wh|evt|dl)_\w+`)

func followNext(dir, line string) error {
	if err := exampleFault(line); err != nil && !errors.Is(err, pflag.ErrHelp) {
		return err
	}
	words := shellWords(line)
	if !reading.MatchString(line) || slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"replay", "purge", "--follow", "--watch", "ID", "URL"}, w)
	}) {
		return nil
	}
	kind := named.ReplaceAllString(os.Args[1]+" says "+line, "ID")
	mark, err := os.OpenFile(filepath.Join(dir, regexp.MustCompile(`\W+`).ReplaceAllString(kind, "-")), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if os.IsExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := mark.Close(); err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0], words...)
	cmd.Env = append(os.Environ(), followedDir+"=")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		return err
	}
	if code := cmd.ProcessState.ExitCode(); code == exitUsage || code < 0 || code == exitFailed && strings.HasPrefix(string(out), "error: no webhook") {
		return fmt.Errorf("exit %d: %s", code, out)
	}
	return nil
}

// TestFollowNext holds what a script stops at.
func TestFollowNext(t *testing.T) {
	t.Parallel()
	for line, fault := range map[string]bool{"webhook shw wh_1": true, "webhook list --loud": true, "webhook show": true, "config set --help": false, "webhook test wh_1": false, "restart": false} {
		if err := followNext(t.TempDir(), line); (err != nil) != fault {
			t.Errorf("%s: %v", line, err)
		}
	}
}
