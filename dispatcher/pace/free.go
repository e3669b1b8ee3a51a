package pace

import "time"

const (
	// trial is how long a lane does without a rate, at first; then minTry to maxTry.
	trial = 10 * time.Second
	// freeWait is the wait after a refusal meanwhile, half as long again after each one until one
	// is accepted: doubling, the rare ones that are long would be most of the time.
	freeWait = MinWait / 4
	// spares is how many refusals of a request that was alone cost one attempt meanwhile: who is
	// refused by chance should not be dead by chance, and who always is should be.
	spares = 8
)

// freedom is a time in which a lane does without a rate, since the refusals did not become fewer
// with one: the receiver has other reasons. The zero value is none.
type freedom struct {
	since, until time.Time
	stays        time.Duration // how long the next one is, 0 for trial
	accepted     int           // since then
	idle         bool          // there was nothing to send for a moment
	wait         time.Duration // after the last refusal, 0 if one was accepted since
	alone        int           // refusals of a request that was alone, with one accepted before
}

// begin returns the next such time, which is longer than the one before.
func (f freedom) begin(now time.Time) freedom {
	lasts := max(trial, f.stays)
	return freedom{since: now, until: now.Add(lasts), stays: min(max(minTry, 2*f.stays), maxTry)}
}

// on reports whether it is such a time.
func (f *freedom) on() bool { return !f.until.IsZero() }

// refused returns how long to wait after a refusal.
func (f *freedom) refused() time.Duration {
	f.wait = min(max(freeWait, f.wait*3/2), MaxWait)
	return f.wait
}

// costs reports whether the refusal of a request that was alone costs it an attempt.
func (f *freedom) costs() bool {
	if !f.on() || f.wait > 0 {
		return true
	}
	f.alone++
	return f.alone%spares == 0
}

// took2xx takes a 2xx.
func (f *freedom) took2xx() {
	f.accepted++
	f.wait = 0
}
