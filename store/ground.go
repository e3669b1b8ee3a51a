package store

import (
	"os"
	"runtime"
	"time"
)

const (
	// groundSmall is how many bytes a commit adds at most for which pages are prepared. What is
	// written by larger ones would be written twice.
	groundSmall = 16 << 10
	// groundPause is how long after a commit the next one begins at most when somebody waited to
	// begin it, and does not come by with a settlement.
	groundPause = 2 * time.Millisecond
	// groundRow is how many such commits must have followed one another.
	groundRow = 16
	// groundSize is how much is prepared, as soon as less than groundLow is left.
	groundSize, groundLow = 256 << 10, 64 << 10
)

// ground is the part of the file above what is in use that was written with zeros.
//
// A page that was never written is dear: the file system has to find room for it, and has to make
// that durable besides the data, in the commit that somebody waits for. While small commits follow
// one another, as of a single writer, that is done for many of them at once, after one of them.
type ground struct {
	until int64     // where it ends
	end   int64     // of what was in use after the last commit
	last  time.Time // when the last commit ended
	row   int       // small commits that followed one another
}

// prepare writes pages that commits like the last one, of so many bytes, will take next. A failure
// is none: they cost more.
func (db *DB) prepare(began time.Time, bytes int) {
	g := &db.ground
	soon := began.Sub(g.last) < groundPause
	g.last = time.Now()
	g.row++
	if !soon || bytes > groundSmall {
		g.row = 0
	}
	if runtime.GOOS != "linux" || g.row < groundRow || g.until-g.end >= groundLow {
		return
	}
	f, err := os.OpenFile(db.path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return
	}
	// bbolt makes the file longer, not we
	from, to := max(g.until, g.end), min(g.end+groundSize, info.Size())
	if from >= to {
		return
	}
	// Only zeros are written over zeros: whatever else could be wrong here, it costs no event.
	buf := make([]byte, to-from)
	if _, err := f.ReadAt(buf, from); err != nil {
		return
	}
	for _, b := range buf {
		if b != 0 { // of a commit that failed
			g.until = to
			return
		}
	}
	if _, err := f.WriteAt(buf, from); err == nil {
		g.until = to
	}
}
