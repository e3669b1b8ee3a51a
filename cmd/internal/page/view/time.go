package view

import (
	"fmt"
	"time"
)

// Clock renders times: Now is when the page is made, Zone is the machine's.
type Clock struct {
	Now   time.Time
	Zone  *time.Location
	Exact bool // times are shown as they are, not as ages
}

// Time is a time as the page shows it. The zero Time is one that is not known, or never was.
type Time struct {
	ISO   string // for programs
	Text  string // what is read
	Exact string // the whole time
	Ago   string // for the script: how the text is made of the time; "" leaves it as it is
}

// forms of Time.Ago.
const (
	formAgo = "ago"
	formFor = "for"
)

// Ago is a time as its age, "26 min ago".
func (c Clock) Ago(t time.Time) Time { return c.relative(t, formAgo) }

// For is a time as how long ago it is, "26 min".
func (c Clock) For(t time.Time) Time { return c.relative(t, formFor) }

func (c Clock) relative(t time.Time, form string) Time {
	if t.IsZero() {
		return Time{}
	}
	out := Time{ISO: t.UTC().Format(time.RFC3339Nano), Exact: c.exact(t), Ago: form, Text: Age(c.Now.Sub(t))}
	if form == formAgo {
		out.Text += " ago"
	}
	if c.Exact {
		out.Text = out.Exact
	}
	return out
}

// exact is "14 Mar, 09:14:16", with the year when it is another one.
func (c Clock) exact(t time.Time) string {
	t = t.In(c.Zone)
	if t.Year() != c.Now.In(c.Zone).Year() {
		return t.Format("2 Jan 2006, 15:04:05")
	}
	return t.Format("2 Jan, 15:04:05")
}

// Stamp is the time of day, with the date when that is another day.
func (c Clock) Stamp(t time.Time) Time { return c.stamp(t, "15:04:05") }

// StampMilli is Stamp with milliseconds.
func (c Clock) StampMilli(t time.Time) Time { return c.stamp(t, "15:04:05.000") }

func (c Clock) stamp(t time.Time, layout string) Time {
	if t.IsZero() {
		return Time{}
	}
	local, now := t.In(c.Zone), c.Now.In(c.Zone)
	out := Time{ISO: t.UTC().Format(time.RFC3339Nano), Exact: c.exact(t), Text: local.Format(layout)}
	if local.Year() != now.Year() || local.YearDay() != now.YearDay() {
		out.Text = local.Format("2 Jan " + layout)
	}
	return out
}

// Day is a date.
func (c Clock) Day(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{ISO: t.UTC().Format(time.RFC3339Nano), Exact: c.exact(t), Text: t.In(c.Zone).Format("2 Jan 2006")}
}

// ZoneName is the machine's zone, "UTC+1".
func (c Clock) ZoneName() string {
	_, offset := c.Now.In(c.Zone).Zone()
	if offset == 0 {
		return "UTC"
	}
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	if offset%3600 == 0 {
		return fmt.Sprintf("UTC%s%d", sign, offset/3600)
	}
	return fmt.Sprintf("UTC%s%d:%02d", sign, offset/3600, offset%3600/60)
}

// Age renders a duration in at most two units: "4 s", "26 min", "3 h 12 min", "11 d". page.js does
// the same.
func Age(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	case s < 10*3600 && s%3600 >= 60:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	case s < 48*3600:
		return fmt.Sprintf("%d h", s/3600)
	}
	return fmt.Sprintf("%d d", s/86400)
}

// Took renders how long an attempt took: "12 ms", "10.0 s".
func Took(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", float64(ms)/1000)
}
