package pace

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Outage follows how the deliveries of a lane end, and tells whether its new events are held back:
// when as many as the limit in a row have failed without a 2xx. Those go on with their schedule;
// when none of them is left, one new delivery at a time probes. A 2xx ends it.
//
// That many failures are no reason to call the webhook failing, which many dead letters in a row
// are: a receiver that restarts within a few seconds loses nothing. They are a reason to send it
// nothing new. Without that, an endpoint that refuses at once would turn into dead letters
// everything that arrives until the first of them has spent its schedule.
type Outage struct {
	limit    int // 0 = never
	failures int // deliveries in a row that failed, dead ones included

	probeAt time.Time     // when the next probe may begin
	pause   time.Duration // before it; 0 until there is a reason for one
	pauses  backoff.BackOff
}

// NewOutage returns one without a limit.
func NewOutage() Outage { return Outage{pauses: Waits()} }

// SetLimit says how many failures in a row hold new deliveries back, 0 for none. The next probe may
// Begin at once.
func (o *Outage) SetLimit(limit int) {
	o.limit = limit
	o.retry()
}

// Load takes over what is known of the time before a restart: dead letters in a row, and deliveries
// that failed and go on. The latter may have failed long before the last 2xx, so that one more must
// fail before they hold anything back.
func (o *Outage) Load(deaths, retried int) {
	o.failures = max(deaths, min(retried, o.limit-1))
}

// Failures is how many deliveries in a row failed.
func (o *Outage) Failures() int { return o.failures }

// ProbeAt returns when the next probe may begin.
func (o *Outage) ProbeAt() time.Time { return o.probeAt }

// Holding reports whether new deliveries are held back.
func (o *Outage) Holding() bool { return o.limit > 0 && o.failures >= o.limit }

// Failed counts a delivery whose attempt of the given number failed.
func (o *Outage) Failed(attempt int) {
	if attempt == 1 {
		o.failures++
	}
}

// Begin notes that a delivery probes: the pause before the next one doubles.
func (o *Outage) Begin(now time.Time) {
	o.pause = o.pauses.NextBackOff()
	o.probeAt = now.Add(o.pause)
}

// Died takes a dead letter, of which there are now that many in a row: the pause begins with it.
func (o *Outage) Died(deaths int, now time.Time) {
	o.failures = max(o.failures, deaths)
	if o.pause == 0 {
		o.pause = o.pauses.NextBackOff()
	}
	o.probeAt = now.Add(o.pause)
}

// Hold holds new deliveries back, however few have failed.
func (o *Outage) Hold() { o.failures = max(o.failures, o.limit) }

// Spent takes a delivery that has spent its schedule and stays: new ones are held back, and the
// pause before the next probe begins with it.
func (o *Outage) Spent(now time.Time) {
	o.Hold()
	o.Died(0, now)
}

// retry lets the next probe begin at once.
func (o *Outage) retry() {
	o.probeAt, o.pause = time.Time{}, 0
	o.pauses.Reset()
}

// Over ends the outage.
func (o *Outage) Over() {
	o.failures = 0
	if o.pause != 0 {
		o.retry()
	}
}
