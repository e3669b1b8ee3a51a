package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// failingSize is that of a disk that can fail.
const failingSize = 64 << 20

// canFail reports whether a disk can be made here that fails while it is used: a file with ext4.
func canFail() bool {
	_, err := exec.LookPath("mkfs.ext4")
	found, globErr := filepath.Glob("/sys/fs/ext4/*/trigger_fs_error")
	loop, statErr := os.Stat("/dev/loop-control")
	return canMount() && err == nil && globErr == nil && statErr == nil && loop != nil && len(found) > 0
}

// scriptFailingDisk is `failingdisk make|fail|mend DIR`: a real disk of its own, which the kernel
// makes read-only while it is used, as it does after an error of the disk; and what a person does
// then, once nothing uses it: the disk is checked, or copied to another one, and mounted again.
func scriptFailingDisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: failingdisk make|fail|mend dir")
	}
	dir := ts.MkAbs(args[1])
	image := dir + ".image"
	switch args[0] {
	case "make":
		ts.Check(os.MkdirAll(dir, 0o700))
		ts.Check(os.WriteFile(image, nil, 0o600))
		ts.Check(os.Truncate(image, failingSize))
		ts.Check(command("mkfs.ext4", "-q", image))
		ts.Check(mountImage(image, dir))
		ts.Check(os.Chmod(dir, 0o700))
		ts.Check(os.Remove(filepath.Join(dir, "lost+found")))
		ts.Defer(func() {
			stopLeftOver(dir) // what it runs on is found there
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		})
	case "fail":
		var st unix.Stat_t
		ts.Check(unix.Stat(dir, &st))
		device, err := os.Readlink(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join("/sys/fs/ext4", filepath.Base(device), "trigger_fs_error"), []byte("1"), 0))
	case "mend":
		ts.Check(syscall.Unmount(dir, syscall.MNT_DETACH))
		// a copy: the kernel may still hold the one that failed
		raw, err := os.ReadFile(image)
		ts.Check(err)
		ts.Check(os.Remove(image))
		ts.Check(os.WriteFile(image, raw, 0o600))
		if err := command("e2fsck", "-fy", image); err != nil && !strings.Contains(err.Error(), "exit status 1:") {
			ts.Fatalf("%v", err) // 1: it was mended
		}
		ts.Check(mountImage(image, dir))
	default:
		ts.Fatalf("failingdisk %s: unknown", args[0])
	}
}

func mountImage(image, dir string) error {
	return command("mount", "-o", "loop,errors=remount-ro", image, dir)
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}
