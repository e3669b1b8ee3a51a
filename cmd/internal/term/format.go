package term

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"waoutbox/outbox/api/untrusted"
)

// None stands for a value that is not there.
const None = "–"

// Unknown stands for a value that could not be read.
const Unknown = "?"

// Age renders a duration for people, in at most two units: "0 s", "26 m", "3 h 12 m", "5 d 4 h".
// Never negative.
func Age(d time.Duration) string {
	d = max(d, 0)
	two := func(big int64, bigUnit string, small int64, smallUnit string) string {
		if small == 0 {
			return fmt.Sprintf("%d %s", big, bigUnit)
		}
		return fmt.Sprintf("%d %s %d %s", big, bigUnit, small, smallUnit)
	}
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d m", s/60)
	case s < 48*3600:
		return two(s/3600, "h", s%3600/60, "m")
	}
	return two(s/86400, "d", s%86400/3600, "h")
}

// Count renders a number with thousands separated: "18,204".
func Count(n int64) string { return humanize.Comma(n) }

// Plural renders a count with its noun: "1 dead letter", "23 dead letters".
func Plural(n int64, one, many string) string {
	if n == 1 {
		return Count(n) + " " + one
	}
	return Count(n) + " " + many
}

// Bytes renders a size: "0 B", "41 MB" (powers of 1000, one decimal below ten). Never negative.
func Bytes(n int64) string { return humanize.Bytes(uint64(max(n, 0))) }

// Millis renders how long something took: "12 ms", "10.0 s".
func Millis(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", float64(ms)/1000)
}

// Clock renders a moment in loc: the time of day when it was today, the date with it otherwise.
// Zero is None.
func Clock(t, now time.Time, loc *time.Location) string {
	if t.IsZero() {
		return None
	}
	t, now = t.In(loc), now.In(loc)
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04:05")
}

// Clean makes text from outside harmless on a terminal: whatever could move the cursor, forge
// lines, reorder text or hide in it becomes a visible escape. Newlines too: one value stays one
// line.
func Clean(s string) string { return untrusted.Escape(s) }

// Short cuts text to at most n runes, the last one an ellipsis if anything was cut.
func Short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:max(n-1, 0)]) + "…"
}
