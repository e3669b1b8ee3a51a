package main

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"waoutbox/cmd/internal/term"
	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// liveLines is how many lines may wait for the terminal. A terminal that is slower, or stopped,
// misses some: nothing waits for it.
const liveLines = 512

// liveView tells a person at the terminal of `serve` what arrives and how its deliveries end, one
// line each. It is told by the outbox and the lanes, which it never holds up.
type liveView struct {
	on     atomic.Bool // somebody watches
	lines  chan liveLine
	missed atomic.Int64
}

// liveLine is what a line is made of, which happens when it is printed.
type liveLine struct {
	at    time.Time
	event string
	body  []byte
	end   *dispatcher.AttemptEnd // nil: the event arrived
}

func newLiveView() *liveView { return &liveView{lines: make(chan liveLine, liveLines)} }

// Appended satisfies boltbox.Observer.
func (v *liveView) Appended(fresh []outbox.Event, _ time.Duration) {
	if v.on.Load() {
		for i := range fresh {
			v.put(liveLine{at: fresh[i].Time, event: fresh[i].Name, body: slices.Clone(fresh[i].Body)})
		}
	}
}

// Attempted satisfies dispatcher.Observer.
func (v *liveView) Attempted(a dispatcher.AttemptEnd) {
	if v.on.Load() {
		v.put(liveLine{at: a.Start.Add(a.Took), event: a.Event, end: &a})
	}
}

// Ended satisfies dispatcher.Observer: the attempts have said it.
func (v *liveView) Ended(dispatcher.DeliveryEnd) {}

func (v *liveView) put(l liveLine) {
	select {
	case v.lines <- l:
	default:
		v.missed.Add(1)
	}
}

// sayLive prints a line, and how many before it were missed.
func (e *env) sayLive(l liveLine, missed int64) {
	if missed > 0 {
		e.printf("          … %s more, faster than this terminal\n", term.Count(missed))
	}
	e.printf("%s  %s\n", l.at.In(e.loc).Format(time.TimeOnly), e.liveText(l))
}

// liveTime is what the time of a line takes.
const liveTime = len("15:04:05  ")

// liveText is a line without its time, cut to the terminal.
func (e *env) liveText(l liveLine) string {
	a := l.end
	fit := func(begin, text string) string {
		if e.width == 0 {
			return text
		}
		return term.End(text, max(e.width-liveTime-utf8.RuneCountInString(begin), 20))
	}
	if a == nil {
		begin := fmt.Sprintf("%-17s  ", term.Clean(l.event))
		return begin + fit(begin, eventDigest(l.body))
	}
	to := fmt.Sprintf("%-17s  → %s  ", "", term.Clean(string(a.Sub)))
	took := term.Millis(a.Took.Milliseconds())
	if a.Outcome == dispatcher.OutcomeDelivered {
		return to + e.style.Green(fmt.Sprintf("%d in %s", a.Result.Status, took))
	}
	what := fmt.Sprint(a.Result.Status)
	if a.Result.Status == 0 {
		what = term.Clean(term.Short(a.Result.Message, 80))
	}
	switch a.Outcome {
	case dispatcher.OutcomeDead:
		what = e.style.Red(fit(to, fmt.Sprintf("dead after attempt %d: %s in %s", a.Attempt, what, took)))
	case dispatcher.OutcomeRetry:
		what = e.style.Yellow(fit(to, fmt.Sprintf("attempt %d: %s in %s", a.Attempt, what, took)))
	default:
		what = e.style.Yellow(fit(to, "waits: "+what))
	}
	return to + what
}
