package boltbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"

	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// killEnv is the commit at which a child of these tests kills itself: before the commit when even,
// after it when odd.
const killEnv = "WAOUTBOX_TEST_KILL_AT"

// dyingChild is this test binary as a process that does, for an outbox, what the variable says, and
// dies at some commit, later ones in later lives.
func dyingChild(t *testing.T, env, path string, life int) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), env+"="+path, fmt.Sprintf("%s=%d", killEnv, 2+life+rand.IntN(60)))
	return cmd
}

// openToDie opens an outbox in such a process.
func openToDie(ctx context.Context, path string) (*boltbox.Box, error) {
	at, err := strconv.Atoi(os.Getenv(killEnv))
	if err != nil {
		return nil, err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return nil, err
	}
	var n atomic.Int64
	die := func(when int) {
		if int(n.Load()) == at/2 && at%2 == when {
			_ = self.Kill()
			select {}
		}
	}
	db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1, CommitHook: func(commit func() error) error {
		n.Add(1)
		die(0)
		err := commit()
		die(1)
		return err
	}})
	if err != nil {
		return nil, err
	}
	return boltbox.Open(ctx, db, boltbox.SmallRuns(boltbox.Options{RingBytes: 1}))
}
