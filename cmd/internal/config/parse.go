package config

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

func parseInt(v string, least, most int) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", v, least, most)
	}
	return n, nil
}

func oneOf(allowed ...string) func(string) error {
	return func(v string) error {
		if slices.Contains(allowed, v) {
			return nil
		}
		return fmt.Errorf("%q is not one of %s", v, strings.Join(allowed, ", "))
	}
}

// ParseBytes reads a number of bytes: 268435456, 256MiB, 1.5GiB, 500MB. Units are matched without
// regard to case, a space before the unit is allowed, the result is never negative.
func ParseBytes(v string) (int64, error) {
	n, err := humanize.ParseBytes(v)
	if err != nil || n > math.MaxInt64 {
		return 0, fmt.Errorf("%q is not a number of bytes; write 268435456 or 256MiB", v)
	}
	return int64(n), nil
}

// minMaxSize is the least that an outbox may be allowed to hold.
const minMaxSize = 512 << 10

// parseMaxSize reads max-size. A number without its unit, like 10 for 10GiB, would have everything
// expire that waits.
func parseMaxSize(v string) (int64, error) {
	n, err := ParseBytes(v)
	if err == nil && n != 0 && n < minMaxSize {
		err = fmt.Errorf("%q is %d bytes, and 512KiB is the least; write it with its unit, like 10GiB, or 0 for no limit", v, n)
	}
	return n, err
}

// parseDuration reads a time with its unit: 90m, 72h, or 30d for days of 24 hours. 0 needs none.
func parseDuration(v string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if days, ok := strings.CutSuffix(v, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		if d = time.Duration(n * float64(24*time.Hour)); math.IsNaN(n) || math.Abs(n) > 100*365 {
			err = strconv.ErrRange
		}
	}
	if err != nil || d < least || d > most {
		return 0, fmt.Errorf("%q is not a time from %s to %s; write 10s, 90m, 72h or 30d", v, daysOf(least), daysOf(most))
	}
	return d, nil
}

// daysOf writes a limit as a person would.
func daysOf(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return d.String()
}

// mediaKinds are the kinds of media that can be kept.
var mediaKinds = []string{"image", "video", "audio", "voice", "document", "sticker"}

// parseKeepMedia reads which kinds of media are kept, each with its largest size; none for off.
func parseKeepMedia(v string) (map[string]int64, error) {
	v = strings.ToLower(strings.TrimSpace(v))
	if v == "off" || v == "" {
		return nil, nil
	}
	kinds := map[string]int64{}
	for part := range strings.SplitSeq(v, ",") {
		kind, size, limited := strings.Cut(strings.TrimSpace(part), "=")
		var most int64
		if limited {
			var err error
			if most, err = ParseBytes(size); err != nil {
				return nil, err
			}
			if most == 0 {
				return nil, fmt.Errorf("%q keeps nothing of that kind; leave it out, or write its largest size, like %s=20MiB", part, kind)
			}
		}
		switch {
		case kind == "all":
			for _, k := range mediaKinds {
				if _, named := kinds[k]; !named {
					kinds[k] = most
				}
			}
		case slices.Contains(mediaKinds, kind):
			kinds[kind] = most
		default:
			return nil, fmt.Errorf("%q is no kind of media; write off, all, or some of %s, like image,document=20MiB", kind, strings.Join(mediaKinds, ", "))
		}
	}
	return kinds, nil
}

// parseDirs reads a list of directories. They need not exist: a disk may be mounted later.
func parseDirs(v string) ([]string, error) {
	var dirs []string
	for _, dir := range filepath.SplitList(v) {
		if dir == "" {
			continue
		}
		if !filepath.IsAbs(dir) {
			return nil, fmt.Errorf("%q is not an absolute path; write directories from the root on, separated by %c", dir, filepath.ListSeparator)
		}
		if clean := filepath.Clean(dir); clean == filepath.VolumeName(clean)+string(filepath.Separator) {
			return nil, fmt.Errorf("%q is the whole file system; name the directories that hold what may be sent", dir)
		}
		dirs = append(dirs, filepath.Clean(dir))
	}
	return dirs, nil
}
