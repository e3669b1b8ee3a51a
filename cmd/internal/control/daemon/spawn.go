package daemon

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// spawn starts `serve` detached: its own session, nothing inherited but stderr and the pipe for its
// report, a minimal environment. The caller awaits it.
func spawn(o Options) (*child, error) {
	fail := func(err error) (*child, error) {
		return nil, api.Errorf(CodeStartFailed, "waoutbox cannot be started: %v. Start it by hand: %s", err, term.Command(o.StateDir, "serve"))
	}
	unusable := func(path string, err error) (*child, error) {
		return nil, api.Errorf(CodeStateUnusable, "waoutbox cannot be started: %v", usable(err, path+" cannot be written"))
	}
	path, err := o.executable()
	if err != nil {
		return fail(err)
	}
	dir, err := filepath.Abs(o.StateDir) // its working directory is another one
	if err != nil {
		return fail(err)
	}
	// A log that it could not write would be found out by nobody.
	log, err := OpenLog(dir)
	if err != nil {
		return unusable(logPath(dir), err)
	}
	_ = log.Close() // nothing was written
	stderr, err := OpenStderr(dir)
	if err != nil {
		return unusable(stderrPath(dir), err)
	}
	defer stderr.Close()
	pipe, report, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	defer report.Close() // the child has its own: the pipe ends with it

	env := o.Env
	if env == nil {
		env = os.Environ()
	}
	build := func() *exec.Cmd {
		cmd := exec.Command(path, append([]string{"serve", "--state-dir", dir}, o.Args...)...)
		cmd.Dir, cmd.Env = dir, minimalEnv(env)
		cmd.Stderr = stderr // nil Stdin and Stdout are the null device
		return cmd
	}
	cmd, err := startDetached(build, report)
	if err != nil {
		pipe.Close()
		return fail(err)
	}
	return newChild(cmd, dir, pipe), nil
}

// minimalEnv picks the variables a daemon needs, so that it does not depend on who happened to
// start it: an agent's environment is full of that agent's own secrets and settings.
func minimalEnv(env []string) []string {
	keep := map[string]bool{
		"PATH": true, "HOME": true, "USER": true, "LOGNAME": true, "TMPDIR": true, "TZ": true, "LANG": true, "LC_ALL": true,
		"SSL_CERT_FILE": true, "SSL_CERT_DIR": true,
		// for whatsapp-proxy=environment alone
		"HTTPS_PROXY": true, "https_proxy": true, "NO_PROXY": true, "no_proxy": true,
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
		if !ok || name == reportEnv { // another start's pipe
			continue
		}
		if keep[name] || strings.HasPrefix(name, "XDG_") || strings.HasPrefix(name, "WAOUTBOX_") {
			kept = append(kept, pair)
		}
	}
	return kept
}
