package private

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// InContainer reports whether this process is in a container of programs, in which there are no
// users but its own: it, or another of this program, is process 1, or an engine left its mark,
// which in itself says little: machines are made of such images too.
func InContainer() bool {
	if os.Getpid() == 1 {
		return true
	}
	// By its name: nobody may look at which file a process runs that keeps its memory to itself.
	own, err := os.ReadFile("/proc/self/comm")
	if first, ferr := os.ReadFile("/proc/1/comm"); err == nil && ferr == nil && bytes.Equal(first, own) {
		return true
	}
	var root unix.Statfs_t
	if err := unix.Statfs("/", &root); err == nil && root.Type == unix.OVERLAYFS_SUPER_MAGIC {
		for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
			if _, err := os.Lstat(mark); err == nil {
				return true
			}
		}
	}
	hosts, err := os.ReadFile("/etc/hosts")
	return err == nil && bytes.HasPrefix(hosts, []byte("# Kubernetes-managed hosts file"))
}

// isMounted reports whether a directory is the root of a file system, or of a part of one that was
// mounted in its place.
func isMounted(path string, st *syscall.Stat_t) bool {
	var x unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &x); err == nil && x.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return x.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
	}
	return onAnotherDevice(path, st)
}

// InVolume reports whether a path lies in a volume that a container was given, and this process is
// in it: nobody can reach the path there but who is given the same volume.
func InVolume(path string) bool {
	if !InContainer() {
		return false
	}
	for at := path; at != "/" && at != "."; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		if err != nil {
			return false
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && info.IsDir() && isMounted(at, st) {
			return true
		}
	}
	return false
}
