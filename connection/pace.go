package connection

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// pace holds the waits of the link. Tests shorten them; nothing else differs there.
type pace struct {
	reconnect func() backoff.BackOff // between failed tries to connect; never gives up
	refused   func() backoff.BackOff // before the connection is made again after the outbox refused an event; never gives up
	insist    func() backoff.BackOff // between appends that must not fail; gives up
	banned    time.Duration          // before a login after a ban of unknown length or an outdated version
	steady    time.Duration          // a connection that stood this long was good: the next try starts at once
	login     time.Duration          // from the websocket to the login's end; then it is cut and tried again
	firstCode time.Duration          // from the websocket to the first QR code
	code      [2]time.Duration       // how long the first code is shown, and each other one: as WhatsApp's own clients do
	linked    time.Duration          // a pairing is reported as done at the latest this long after the scan
	grace     time.Duration          // for what is in progress when Run ends
	proof     time.Duration          // how long a receipt waits for its message's send to return
}

// keepAliveLimit is how long WhatsApp may leave keepalives unanswered before the connection is made again.
const keepAliveLimit = 3 * time.Minute

func defaultPace() pace {
	return pace{
		reconnect: func() backoff.BackOff { return waits(500*time.Millisecond, time.Minute, 0) },
		refused:   func() backoff.BackOff { return waits(time.Second, time.Minute, 0) },
		insist:    func() backoff.BackOff { return waits(100*time.Millisecond, 2*time.Second, 20*time.Second) },
		banned:    time.Hour,
		steady:    10 * time.Second,
		login:     2 * time.Minute,
		firstCode: 30 * time.Second,
		code:      [2]time.Duration{time.Minute, 20 * time.Second},
		linked:    45 * time.Second,
		grace:     5 * time.Second,
		proof:     5 * time.Second,
	}
}

// waits doubles from first to longest, spread by a fifth so that many installations do not come back in step, and stops after
// total (0: never).
func waits(first, longest, total time.Duration) backoff.BackOff {
	b := backoff.NewExponentialBackOff(backoff.WithInitialInterval(first), backoff.WithMaxInterval(longest),
		backoff.WithMultiplier(2), backoff.WithRandomizationFactor(0.2), backoff.WithMaxElapsedTime(total))
	b.Reset()
	return b
}
