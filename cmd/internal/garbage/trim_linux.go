package garbage

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// dropProgram gives back the pages of the running program that are as they are in its file: code
// and constants. Whatever the kernel does not tell, it leaves alone.
func dropProgram() {
	path, err := os.Executable()
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer f.Close()
	for _, m := range unchanged(f, path) {
		// The memory is the program's own and stays mapped: a page that is needed is read again. An
		// error leaves it as it was.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.start, m.end-m.start, unix.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ start, end uintptr }

// unchanged returns the mappings of the file path that cannot be written and of which no page
// differs from the file: a page that the loader has changed (relocations) would be lost.
func unchanged(smaps io.Reader, path string) (found []mapping) {
	var m mapping
	ours, same := false, false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		fields := bytes.Fields(lines.Bytes())
		switch {
		case len(fields) >= 5 && !bytes.HasSuffix(fields[0], []byte(":")):
			if ours && same {
				found = append(found, m)
			}
			m, ours = header(fields, path)
			same = false
		case len(fields) == 3 && ours && string(fields[0]) == "Anonymous:":
			same = string(fields[1]) == "0"
		case len(fields) == 3 && ours && string(fields[0]) == "Swap:":
			same = same && string(fields[1]) == "0"
		}
	}
	if ours && same {
		found = append(found, m)
	}
	return found
}

// header reads the first line of a mapping: its range, and whether it is one of path that cannot be
// written.
func header(fields [][]byte, path string) (m mapping, ours bool) {
	from, to, ok := bytes.Cut(fields[0], []byte("-"))
	if !ok || len(fields) < 6 || string(bytes.Join(fields[5:], []byte(" "))) != path || bytes.IndexByte(fields[1], 'w') >= 0 {
		return m, false
	}
	start, err := strconv.ParseUint(string(from), 16, 64)
	if err != nil {
		return m, false
	}
	end, err := strconv.ParseUint(string(to), 16, 64)
	return mapping{uintptr(start), uintptr(end)}, err == nil && end > start
}
