package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// reproduce builds this machine's programs from two copies of the tree, in directories of other
// names and lengths, each with an empty cache of the go command, and wants the same bytes. It
// compiles everything twice: minutes.
func (r release) reproduce() (err error) {
	top, err := os.MkdirTemp("", "waoutbox-reproduce-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(top)) }()
	var sums []string
	for _, name := range []string{"a", filepath.Join("another place", strings.Repeat("deeper/", 5))} {
		dir := filepath.Join(top, name, "tree")
		if err := copyTree(dir); err != nil {
			return fmt.Errorf("copy the tree: %w", err)
		}
		bin := filepath.Join(top, name, "bin")
		if err := os.Mkdir(bin, 0o755); err != nil {
			return err
		}
		cmd := r.buildCommand(bin, target{runtime.GOOS, runtime.GOARCH}, programs...)
		cmd.Dir = dir
		cmd.Env = append(cmd.Env, "GOCACHE="+filepath.Join(top, name, "cache"))
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build in %s: %w", dir, err)
		}
		var both string
		for _, path := range programs {
			program, err := os.ReadFile(filepath.Join(bin, filepath.Base(path)))
			if err != nil {
				return err
			}
			fmt.Printf("%s  %s, %d bytes, built in %s\n", sum(program), filepath.Base(path), len(program), dir)
			if strings.Contains(string(program), top) {
				return errors.New("the program names the directory that it was built in")
			}
			both += sum(program)
		}
		sums = append(sums, both)
	}
	if sums[0] != sums[1] {
		return errors.New("built in two places, it is not the same")
	}
	fmt.Println("built in two places, it is the same")
	return nil
}

// copyTree copies the files that belong to the repository, as they are now, to dir.
func copyTree(dir string) error {
	list, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		b, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, and not yet committed
		}
		to := filepath.Join(dir, name)
		if err = errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755)); err != nil {
			return err
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
