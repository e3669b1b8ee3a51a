package control

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"waoutbox/outbox/api"
)

// child is a daemon that was started here.
type child struct {
	pid  int
	dir  string // the state directory
	log  string // path of serve.log
	from int64  // where its output begins in it
	done chan struct{}
	err  error // how it ended; read after done
}

// spawn starts `serve` detached: its own session, nothing inherited but the log, a minimal environment.
func spawn(o EnsureOptions) (*child, error) {
	fail := func(err error) (*child, error) {
		return nil, api.Errorf(CodeStartFailed, "waoutbox cannot be started: %v. Start it by hand: %s", err, command(o.StateDir, "serve"))
	}
	path, err := o.executable()
	if err != nil {
		return fail(err)
	}
	dir, err := filepath.Abs(o.StateDir) // its working directory is another one
	if err != nil {
		return fail(err)
	}
	out, from, err := openLog(dir)
	if err != nil {
		return nil, api.Errorf(CodeStateUnusable, "waoutbox cannot be started: %v", usable(err, "its log "+logPath(dir)+" cannot be written"))
	}
	defer out.Close()

	env := o.Env
	if env == nil {
		env = os.Environ()
	}
	build := func() *exec.Cmd {
		cmd := exec.Command(path, append([]string{"serve", "--state-dir", dir}, o.Args...)...)
		cmd.Dir, cmd.Env = dir, minimalEnv(env)
		cmd.Stdout, cmd.Stderr = out, out // a nil Stdin is the null device
		return cmd
	}
	cmd, err := startDetached(build)
	if err != nil {
		return fail(err)
	}
	ch := &child{pid: cmd.Process.Pid, dir: dir, log: out.Name(), from: from, done: make(chan struct{})}
	// Ends with the daemon, or with this process: it only collects the exit status, so that no zombie stays.
	go func() {
		ch.err = cmd.Wait()
		close(ch.done)
	}()
	return ch, nil
}

// ended is closed when the child has ended; for no child it never is.
func (c *child) ended() <-chan struct{} {
	if c == nil {
		return nil
	}
	return c.done
}

// exitUsage is what serve ends with when a setting is wrong.
const exitUsage = 2

// failure explains a child that ended before it answered: in its own last sentence, if it had time for one.
func (c *child) failure() error {
	code := CodeStartFailed
	if exit, ok := errors.AsType[*exec.ExitError](c.err); ok && exit.ExitCode() == exitUsage {
		code = api.CodeInvalidArguments
	}
	if line := lastLine(c.log, c.from); line != "" {
		return api.Errorf(code, "waoutbox could not start: %s. Its log: %s", line, c.log)
	}
	how := "it ended at once"
	if c.err != nil {
		how = c.err.Error() // "exit status 1", "signal: killed"
	}
	return api.Errorf(code, "waoutbox could not start (%s) and said nothing; a sandbox may have ended it. Start it outside: %s (its log: %s)",
		how, command(c.dir, "serve"), c.log)
}

// said is what the child wrote last, and where the rest is.
func (c *child) said() string {
	if line := lastLine(c.log, c.from); line != "" {
		return fmt.Sprintf("It said: %s (all of it: %s)", line, c.log)
	}
	return fmt.Sprintf("It said nothing yet (its log: %s)", c.log)
}

// minimalEnv picks the variables a daemon needs, so that it does not depend on who happened to start it: an agent's environment is
// full of that agent's own secrets and settings.
func minimalEnv(env []string) []string {
	keep := map[string]bool{
		"PATH": true, "HOME": true, "USER": true, "LOGNAME": true, "TMPDIR": true, "TZ": true, "LANG": true, "LC_ALL": true,
		"SSL_CERT_FILE": true, "SSL_CERT_DIR": true,
	}
	if runtime.GOOS == "windows" {
		for _, name := range []string{"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "USERPROFILE", "USERNAME", "USERDOMAIN", "HOMEDRIVE", "HOMEPATH",
			"APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "TEMP", "TMP", "COMSPEC", "PATHEXT"} {
			keep[name] = true
		}
	}
	kept := []string{}
	for _, pair := range env {
		name, _, ok := strings.Cut(pair, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
		}
		if ok && (keep[name] || strings.HasPrefix(name, "XDG_") || strings.HasPrefix(name, "WAOUTBOX_")) {
			kept = append(kept, pair)
		}
	}
	return kept
}
