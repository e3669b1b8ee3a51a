package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"waoutbox/cmd/internal/admin"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// deadLetterFilter holds the filter flags that all deadletter commands share. They narrow one
// another.
type deadLetterFilter struct {
	url, event, chat, reason, since, until string
	from, to                               time.Time // what since and until mean, once read
}

func (f *deadLetterFilter) flags(cmd *cobra.Command) {
	once(cmd, &f.url, "url", "only of this webhook: its URL or id, removed ones too")
	once(cmd, &f.event, "event", "only events of this name")
	once(cmd, &f.chat, "chat", "only of this chat: a phone number or a JID")
	once(cmd, &f.reason, "reason", "only what died for this reason: an HTTP status, or timeout, refused, expired, …")
	once(cmd, &f.since, "since", "only what died since: a duration like 1h or 2d, or a time like 2026-01-31T09:00:00Z")
	once(cmd, &f.until, "until", "only what died before: written like --since")
}

// selectionFlags names them for sentences.
const selectionFlags = "--url, --event, --chat, --reason, --since, --until"

func (f *deadLetterFilter) empty() bool {
	return f.url == "" && f.event == "" && f.chat == "" && f.reason == "" && f.since == "" && f.until == ""
}

// filter reads the flags.
func (f *deadLetterFilter) filter(now time.Time, loc *time.Location) (out api.DeadLetterFilter, err error) {
	f.reason = reasonTyped(f.reason)
	out = api.DeadLetterFilter{Webhook: f.url, Event: f.event, Chat: f.chat, Reason: f.reason}
	if f.event != "" {
		if err := admin.KnownEvent(f.event, catalogNames()); err != nil {
			return out, err
		}
	}
	if f.reason != "" {
		if err := admin.KnownReason(f.reason); err != nil {
			return out, err
		}
	}
	out.Since, out.Until, err = parseSpan(f.since, f.until, now, loc)
	f.from, f.to = out.Since, out.Until
	return out, err
}

// arguments renders the filter as it would be typed.
func (f *deadLetterFilter) arguments() string {
	return typedFlags([]typedFlag{
		{"url", f.url}, {"event", f.event}, {"chat", f.chat}, {"reason", f.reason}, {"since", stamp(f.from)}, {"until", stamp(f.to)},
	})
}

// typedFlag is a flag with its value.
type typedFlag struct{ name, value string }

// typedFlags renders those of flags that have a value, each with a blank in front.
func typedFlags(flags []typedFlag) string {
	var b strings.Builder
	for _, f := range flags {
		if f.value != "" {
			b.WriteString(" --" + f.name + " " + term.Quote(f.value))
		}
	}
	return b.String()
}

// stamp renders a moment for a command line that is typed again: "1h" would mean another one then.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// reasonTyped returns the reason that somebody typed as a table shows it: "503 Service
// Unavailable", "connection refused".
func reasonTyped(text string) string {
	if status, _, ok := strings.Cut(text, " "); ok && len(status) == 3 && strings.Trim(status, "0123456789") == "" {
		return status
	}
	for _, r := range admin.Reasons() {
		if reasonText(r) == text {
			return r
		}
	}
	return text
}

// parseSpan reads --since and --until.
func parseSpan(since, until string, now time.Time, loc *time.Location) (from, to time.Time, err error) {
	if since != "" {
		if from, err = parseMoment("since", since, now, loc); err != nil {
			return from, to, err
		}
	}
	if until != "" {
		if to, err = parseMoment("until", until, now, loc); err != nil {
			return from, to, err
		}
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return from, to, usagef("--since %s is not before --until %s: no time lies between them", since, until)
	}
	return from, to, nil
}

// parseMoment reads a moment: how long ago (1h, 90m, 2d), RFC 3339, or a local date with or without
// a time.
func parseMoment(flag, text string, now time.Time, loc *time.Location) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := parseDays(days); err == nil {
			return now.Add(-n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		if d < 0 {
			return time.Time{}, usagef("--%s %s lies in the future: write how long ago, like 1h", flag, text)
		}
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--%s %q is neither a duration like 1h, 30m or 2d, nor a time like 2026-01-31T09:00:00Z", flag, text)
}

func parseDays(text string) (time.Duration, error) {
	var n float64
	if _, err := fmt.Sscanf(text, "%f", &n); err != nil || n < 0 || n > 36500 {
		return 0, fmt.Errorf("not a number of days")
	}
	if strings.Trim(text, "0123456789.") != "" {
		return 0, fmt.Errorf("not a number of days")
	}
	return time.Duration(n * float64(24*time.Hour)), nil
}

// onceValue is a text that a flag may give once: of two, the first would be ignored without a word.
type onceValue struct {
	text  *string
	given bool
}

// errTwice is what a flag that is given twice fails with.
var errTwice = errors.New("it is given twice: name one, or run the command once for each")

func (v *onceValue) Set(text string) error {
	if v.given {
		return errTwice
	}
	if text == "" {
		return errors.New("it is empty: give a value, or leave the flag out")
	}
	*v.text, v.given = text, true
	return nil
}

func (v *onceValue) String() string { return "" }
func (v *onceValue) Type() string   { return "string" }

var _ pflag.Value = (*onceValue)(nil)

// once adds a flag that is a text and may be given once.
func once(cmd *cobra.Command, text *string, name, usage string) {
	cmd.Flags().Var(&onceValue{text: text}, name, usage)
}
