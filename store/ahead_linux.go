package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// readAhead starts reading a part of f into the page cache, without waiting for it.
func readAhead(f *os.File, off, size int64) {
	// a hint: without it the read is only slower
	_ = unix.Fadvise(int(f.Fd()), off, size, unix.FADV_WILLNEED)
}
