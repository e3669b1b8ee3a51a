package garbage

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// resident returns how many KiB of files this process has mapped and in memory.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(text, []byte("RssFile:"))
	n, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// readProgram touches every page of code and constants.
func readProgram(t *testing.T) {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	for _, m := range unchanged(f, path) {
		if _, err := io.Copy(io.Discard, io.NewSectionReader(mem, int64(m.start), int64(m.end-m.start))); err != nil {
			t.Fatal(err)
		}
	}
}

// Trim gives back the pages of the program, which goes on.
func TestTrim(t *testing.T) {
	readProgram(t)
	full := resident(t)
	Trim()
	if trimmed := resident(t); trimmed > full-full/4 {
		t.Errorf("%d KiB of files are in memory, before it were %d", trimmed, full)
	}
	readProgram(t)
}

// Only what cannot be written and is as in the file may be dropped.
//
// Mutation of trim_linux.go: pages of the program that the loader changed are given back, and lost.
func TestUnchanged(t *testing.T) {
	region := func(line string, anonymous, swap int) string {
		return line + "\nSize: 4 kB\nRss: 4 kB\nAnonymous: " + strconv.Itoa(anonymous) + " kB\nSwap: " + strconv.Itoa(swap) + " kB\nVmFlags: rd mr\n"
	}
	const path = "/opt/my program"
	smaps := region("1000-2000 r-xp 00000000 fe:00 1    "+path, 0, 0) +
		region("2000-3000 r--p 00001000 fe:00 1    "+path, 4, 0) + // relocated
		region("3000-4000 r--p 00002000 fe:00 1    "+path, 0, 4) +
		region("4000-5000 rw-p 00003000 fe:00 1    "+path, 0, 0) +
		region("5000-6000 r--p 00003000 fe:00 1    /usr/lib/x", 0, 0) +
		region("6000-7000 r--p 00000000 00:00 0", 0, 0) +
		"7000-8000 r--p 00004000 fe:00 1    " + path + "\nSize: 4 kB\n" +
		region("8000-9000 r--p 00005000 fe:00 1    "+path, 0, 0)
	want := []mapping{{0x1000, 0x2000}, {0x8000, 0x9000}}
	if got := unchanged(strings.NewReader(smaps), path); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// pulses is an input that comes at intervals.
type pulses []time.Duration

func (p *pulses) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	<-time.After((*p)[0])
	*p = (*p)[1:]
	return copy(b, "x"), nil
}

// The input passes unchanged, and the timer waits for a rest in it.
func TestTrimIdle(t *testing.T) {
	none := func(string) string { return "" }
	synctest.Test(t, func(t *testing.T) {
		in := &pulses{rest - 1, rest - 1}
		out, release := TrimIdle(in, none)
		if b, err := io.ReadAll(out); string(b) != "xx" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		if r, ok := out.(*idleReader); !ok || !r.timer.Stop() {
			t.Error("it was trimmed, or not put off")
		}
		release()
	})
	in := strings.NewReader("x")
	out, release := TrimIdle(in, func(name string) string { return map[string]string{"GOGC": "off"}[name] })
	if out != io.Reader(in) {
		t.Error("GOGC is not the user's any more")
	}
	release()
}
