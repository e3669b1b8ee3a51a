package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/store"
	"waoutbox/store/storetest"
)

const compactChildEnv = "WAOUTBOX_TEST_COMPACT_CHILD"

// compactChild writes and compacts until it kills itself at the n-th step of a name.
func compactChild(spec string) int {
	path, rest, _ := strings.Cut(spec, "|")
	var want string
	var at int
	if n, err := fmt.Sscanf(strings.ReplaceAll(rest, " ", "_"), "%d:%s", &at, &want); n != 2 {
		fmt.Println("error", err)
		return 1
	}
	var db *store.DB
	seen := 0
	db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema(), StepHook: func(step string) {
		if strings.ReplaceAll(step, " ", "_") != want {
			return
		}
		if seen++; seen < at {
			return
		}
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {}
	}})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	ctx := context.Background()
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%s-%d-%d-%d", want, at, w, i)
				if err := db.Do(ctx, appendOf(key)); err != nil {
					return
				}
				fmt.Println("durable", key)
			}
		})
	}
	for {
		if err := errors.Join(db.Do(ctx, bulk("gone", 8000)), db.Do(ctx, drop("gone")), db.Compact(ctx)); err != nil && !errors.Is(err, store.Busy) {
			fmt.Println("error", err)
			return 1
		}
	}
}

// A process that is killed at any step of a compaction leaves a whole database with everything that
// was called durable, and opening it leaves nothing else in the directory.
func TestKilledCompaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	durable := map[string]bool{}
	for _, step := range []string{"1:begun", "1:chunk", "2:chunk", "1:copied", "1:caught up", "1:closed", "1:renamed", "1:synced", "2:begun", "2:renamed"} {
		for _, line := range childLines(t, compactChildEnv+"="+path+"|"+step) {
			key, ok := strings.CutPrefix(line, "durable ")
			if !ok {
				t.Fatalf("%s: the child says %q", step, line)
			}
			durable[key] = true
		}
		db, err := store.Open(path, store.DBOptions{Schema: storetest.Schema()})
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		got := content(t, db)
		for key := range durable {
			if got[key] != key {
				t.Errorf("%s: %s is lost", step, key)
			}
		}
		if left := names(t, filepath.Dir(path)); left != store.OutboxFile {
			t.Errorf("%s: in the directory lies %s", step, left)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		storetest.Check(t, path)
	}
	if len(durable) < 20 {
		t.Errorf("only %d writes were made", len(durable))
	}
}

// A name that is not durable is written to by nobody: a crash could bring the old file back,
// without what was acknowledged since.
//
// Mutation of compact.go: the compacted file is written to before its name is durable, and a power
// cut brings the old one back.
func TestNothingIsWrittenBeforeTheNewNameIsDurable(t *testing.T) {
	var broken atomic.Bool
	var db *store.DB
	db, _ = wasteful(t, store.DBOptions{SyncDir: func(string) error {
		if broken.Load() {
			return errors.New("input/output error")
		}
		return nil
	}})
	before := content(t, db)
	broken.Store(true)
	compacted := make(chan error, 1)
	go func() { compacted <- db.Compact(t.Context()) }()
	within(t, func() bool { return causes(db.Stats()) == "reopening" })
	if err := db.Do(t.Context(), appendOf("a")); !errors.Is(err, store.Closed) {
		t.Errorf("an append meanwhile: %v", err)
	}
	broken.Store(false)
	if err := <-compacted; err != nil && !errors.Is(err, store.Closed) {
		t.Errorf("Compact: %v", err)
	}
	within(t, func() bool { return db.Do(t.Context(), appendOf("b")) == nil })
	before["b"] = "b"
	if got := content(t, db); !maps.Equal(got, before) {
		t.Errorf("the file has %d keys, it had %d", len(got), len(before))
	}
	if got := causes(db.Stats()); got != "" {
		t.Errorf("afterwards there is the fault %q", got)
	}
}

// childLines runs this test binary with a variable set, until it is killed, and returns its lines.
func childLines(t *testing.T, env string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), env)
	out, err := cmd.Output()
	// A process that ends itself by a fault of its own returns 1, and so does a killed one on
	// Windows.
	killed := func(exit *exec.ExitError) bool {
		return exit.ExitCode() != 1 || runtime.GOOS == "windows" && !strings.Contains(string(out), "error ")
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || !killed(exit) || ctx.Err() != nil {
		t.Fatalf("the child was not killed: %v\n%s", err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
