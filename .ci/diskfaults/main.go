// Command diskfaults runs the tests that need a disk which fails: they are built with a copy of
// bbolt whose writes, truncations and syncs can be watched and refused, under the build tag
// diskfaults. Run it from the root:
//
//	go run ./.ci/diskfaults [ARGUMENT…]    arguments go to `go test`
//
// WAOUTBOX_IMAGES is how many power cuts are tried, 300 unless it is set.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

const module = "go.etcd.io/bbolt"

// patch is one place of bbolt that touches the disk: it must be there exactly once.
type patch struct{ file, before, after string }

func patches() []patch {
	return []patch{
		{"db.go", "	db.ops.writeAt = db.file.WriteAt\n", `	db.ops.writeAt = func(b []byte, off int64) (n int, err error) {
		err = disk("write", db.path, off, b, func() error { n, err = db.file.WriteAt(b, off); return err })
		return n, err
	}
`},
		{"db.go", "db.file.Truncate(int64(sz))", `disk("truncate", db.path, int64(sz), nil, func() error { return db.file.Truncate(int64(sz)) })`},
		{"db.go", "db.file.Sync()", `disk("sync", db.path, 0, nil, db.file.Sync)`},
		{"bolt_linux.go", "return syscall.Fdatasync(int(db.file.Fd()))", `return disk("sync", db.path, 0, nil, func() error { return syscall.Fdatasync(int(db.file.Fd())) })`},
	}
}

// watch is what the copy has besides.
const watch = `package bbolt

// Disk, when set, stands around everything that changes a file: it calls do, or returns an error.
var Disk func(kind, path string, off int64, data []byte, do func() error) error

func disk(kind, path string, off int64, data []byte, do func() error) error {
	if Disk == nil {
		return do()
	}
	return Disk(kind, path, off, data, do)
}
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	dir, err := os.MkdirTemp("", "diskfaults-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := instrument(ctx, filepath.Join(dir, "bbolt")); err != nil {
		return err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("run it from the root of the repository: %w", err)
		}
		if name == "go.mod" {
			text = fmt.Appendf(text, "\nreplace %s => %s\n", module, filepath.Join(dir, "bbolt"))
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	args = append([]string{"test", "-modfile", filepath.Join(dir, "go.mod"), "-tags", "diskfaults", "-run", "^TestDisk", "-timeout", "60m"}, args...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./outbox/boltbox")...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// instrument makes a copy of bbolt that can be watched.
func instrument(ctx context.Context, dir string) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return fmt.Errorf("find %s: %w", module, err)
	}
	if err := os.CopyFS(dir, os.DirFS(strings.TrimSpace(string(out)))); err != nil {
		return err
	}
	for _, p := range patches() {
		path := filepath.Join(dir, p.file)
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := strings.Count(string(text), p.before); n != 1 {
			return fmt.Errorf("%s of %s has %q %d times, want once", p.file, module, p.before, n)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), p.before, p.after, 1)), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "disk.go"), []byte(watch), 0o600)
}
