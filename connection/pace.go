package connection

import (
	"time"

	"golang.org/x/time/rate"

	"waoutbox/outbox/api"
)

// pace bounds how fast messages leave, numbers are looked up, or WhatsApp is told of marks as read
// and the like, so that a program that runs away does not get the account banned. Safe for
// concurrent use.
type pace struct {
	perMinute int
	limiter   *rate.Limiter // nil: no limit
	now       func() time.Time
}

// burstPart of a minute's messages may leave at once.
const burstPart = 3

// signalsPerSend is how many marks as read, typing and watched presences there may be for each
// message that may be sent: who replies reads first, and typed.
const signalsPerSend = 4

const tooManySignals = "nothing was told to WhatsApp: more than %d marks as read, typing and watched presences a minute, four for each message that may be sent,"

func newPace(perMinute int, now func() time.Time) *pace {
	p := &pace{perMinute: perMinute, now: now}
	if perMinute > 0 {
		p.limiter = rate.NewLimiter(rate.Limit(perMinute)/60, max(1, perMinute/burstPart))
	}
	return p
}

// take counts one, or returns when the next one may follow. tooMany is what is asked for too often,
// with a place for the limit.
func (p *pace) take(tooMany string) error {
	if p.limiter == nil {
		return nil
	}
	r := p.limiter.ReserveN(p.now(), 1)
	wait := r.DelayFrom(p.now())
	if wait == 0 {
		return nil
	}
	r.CancelAt(p.now())
	e := api.Retryf(api.CodeRateLimited, tooMany+" are asked for, and the next one may follow in %s. The setting max-sends says how many there may be: waoutbox config set max-sends N", p.perMinute, max(wait.Round(100*time.Millisecond), 100*time.Millisecond))
	e.RetryAfterSeconds = int((wait + time.Second - 1) / time.Second)
	return e
}
