package connection

import (
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.mau.fi/whatsmeow"

	"waoutbox/connection/pairing"
)

// timings are the waits of the link. Tests shorten them; nothing else differs there.
type timings struct {
	reconnect func() backoff.BackOff // between failed tries to connect; never gives up
	// before the connection is made again after the outbox refused an event; never gives up
	afterRefusal func() backoff.BackOff
	retryAppend  func() backoff.BackOff // between appends that must not fail; gives up
	// before the connection is made again for what could not be read the time before; never gives
	// up
	unread   func() backoff.BackOff
	mend     func() backoff.BackOff // before tries to read synced settings; never gives up
	settings time.Duration          // for the library to fetch settings that were announced
	// before a login after a ban of unknown length
	banned  time.Duration
	renewed time.Duration // before a login with a version that was just taken over
	// a connection that stood this long was good: the next try starts at once
	stable  time.Duration
	silence time.Duration // between two looks for one that is longer than usual
	// how long WhatsApp may take to show that a connection in doubt lives
	ping time.Duration
	// from the websocket to the login's end; then it is ended and tried again
	login   time.Duration
	pairing pairing.Timings
	// a pairing is reported as done at the latest this long after the scan
	reportLinked time.Duration
	grace        time.Duration // for what is in progress when Run ends
	receiptWait  time.Duration // how long a receipt waits for its message's send to return
	clear        time.Duration // how long the device store keeps the plaintext of a stored event
}

// The library asks WhatsApp for a sign of life after a wait between the first two, and takes it for
// missing after the third: a dead connection is noticed within 30 s. Its own waits are up to 30 s
// and 10 s, and it goes on asking for 3 min.
const (
	keepAliveAtLeast  = 12 * time.Second
	keepAliveAtMost   = 18 * time.Second
	keepAliveResponse = 10 * time.Second
)

// quickenKeepAlive sets the library's waits, which hold for the whole process, unless somebody set
// them before.
func quickenKeepAlive() {
	if whatsmeow.KeepAliveIntervalMax == 30*time.Second {
		whatsmeow.KeepAliveIntervalMin, whatsmeow.KeepAliveIntervalMax = keepAliveAtLeast, keepAliveAtMost
		whatsmeow.KeepAliveResponseDeadline = keepAliveResponse
	}
}

func defaultTimings() timings {
	return timings{
		reconnect:    func() backoff.BackOff { return doubling(500*time.Millisecond, time.Minute, 0) },
		afterRefusal: func() backoff.BackOff { return doubling(time.Second, time.Minute, 0) },
		retryAppend:  func() backoff.BackOff { return doubling(100*time.Millisecond, 2*time.Second, 20*time.Second) },
		unread:       func() backoff.BackOff { return doubling(time.Minute, unreadMost, 0) },
		mend:         func() backoff.BackOff { return doubling(time.Second, time.Hour, 0) },
		settings:     10 * time.Second,
		banned:       time.Hour,
		renewed:      time.Second,
		stable:       10 * time.Second,
		silence:      time.Minute,
		ping:         8 * time.Second,
		login:        2 * time.Minute,
		pairing:      pairing.DefaultTimings(),
		reportLinked: 45 * time.Second,
		grace:        5 * time.Second,
		receiptWait:  5 * time.Second,
		clear:        time.Second,
	}
}

// doubling returns waits that double from first to longest, spread by a fifth so that many
// installations do not come back in step, and that stop after total (0: never).
func doubling(first, longest, total time.Duration) backoff.BackOff {
	b := backoff.NewExponentialBackOff(backoff.WithInitialInterval(first), backoff.WithMaxInterval(longest),
		backoff.WithMultiplier(2), backoff.WithRandomizationFactor(0.2), backoff.WithMaxElapsedTime(total))
	b.Reset()
	return b
}
