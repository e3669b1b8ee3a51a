package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/rogpeppe/go-internal/testscript"

	"waoutbox/cmd/internal/control"
	"waoutbox/cmd/internal/control/daemon"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// TestScripts runs the real main in testdata/script: the command line's specification. Each script
// has a state directory of its own in $STATE and an empty home.
//
// Mutation of cmd/internal/admin/listen.go: the webhook of a service that was killed stays.
// Mutation of cmd_doctor.go: an outbox that is whole and is moved aside.
// Mutation of cmd_doctor.go: a device store that is damaged and stays where it is.
func TestScripts(t *testing.T) {
	followed := t.TempDir()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "mount":
				return canMount(), nil
			case "failingdisk":
				return canFail(), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			if err := os.Mkdir(home, 0o700); err != nil {
				return err
			}
			env.Setenv("HOME", home)
			env.Setenv("USERPROFILE", home)
			env.Setenv("XDG_STATE_HOME", "")
			env.Setenv("NO_COLOR", "1")
			env.Setenv(followedDir, followed)
			env.Setenv("STATE", filepath.Join(env.WorkDir, "state"))
			env.Setenv("WAOUTBOX_STATE_DIR", filepath.Join(env.WorkDir, "state"))
			setUpWorld(env)
			env.Defer(func() { stopLeftOver(filepath.Join(env.WorkDir, "state")) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":         scriptExits,
			"holdlock":      scriptHoldLock,
			"holddb":        scriptHoldDB,
			"damage":        scriptDamage,
			"until":         scriptUntil,
			"testlisteners": scriptTestListeners,
			"killservice":   scriptKillService,
			"notifysocket":  scriptNotifySocket,
			"hangup":        scriptHangup,
			"phone":         scriptPhone,
			"endpoint":      scriptEndpoint,
			"page":          scriptPage,
			"waits":         scriptWaits,
			"disk":          scriptDisk,
			"failingdisk":   scriptFailingDisk,
			"clock":         scriptClock,
			"kept":          scriptKept,
			"newerlanes":    scriptNewerLanes,
			"elsewhere":     scriptElsewhere,
		},
	})
}

// scriptExits is `exits CODE program [args]`: it runs a program and wants exactly that exit code.
// Its output is there for stdout and stderr, as after exec.
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit %d, want %d", got, want)
	}
}

// scriptHoldLock is `holdlock file`: it makes a file and holds its lock until the script ends, as a
// process would that owns the state and does not answer.
func scriptHoldLock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: holdlock file")
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	l := flock.New(path)
	held, err := l.TryLock()
	ts.Check(err)
	if !held {
		ts.Fatalf("%s is locked already", path)
	}
	ts.Defer(func() { l.Close() })
}

// scriptHoldDB is `holddb file`: it keeps a database open until the script ends, as another program
// would.
func scriptHoldDB(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: holddb file")
	}
	db, err := store.Open(ts.MkAbs(args[0]), store.DBOptions{Schema: boltbox.Schema()})
	ts.Check(err)
	ts.Defer(func() { db.Close() })
}

// scriptDamage is `damage file`: it writes over the pages of a database, as a disk would that lost
// them.
func scriptDamage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage file")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	defer f.Close()
	info, err := f.Stat()
	ts.Check(err)
	const meta = 8 << 10 // the first two pages say where the others are
	_, err = f.WriteAt(bytes.Repeat([]byte("lost"), int(info.Size()-meta)/4), meta)
	ts.Check(err)
}

// stopLeftOver stops the daemon that a failed script left running; usually there is none.
func stopLeftOver(stateDir string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := control.NewClient(stateDir, agent())
	defer c.Close()
	_ = daemon.Stop(ctx, c)
}
