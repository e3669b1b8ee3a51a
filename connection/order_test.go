package connection

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/connection/wasim"
)

// messageLog counts the messages that the library has received.
type messageLog struct {
	slog.Handler
	n *atomic.Int64
}

func (h messageLog) Enabled(context.Context, slog.Level) bool { return true }

func (h messageLog) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h messageLog) Handle(_ context.Context, rec slog.Record) error {
	received := false
	rec.Attrs(func(a slog.Attr) bool {
		received = received || a.Key == "detail" && strings.HasPrefix(a.Value.String(), "<message ")
		return true
	})
	if received {
		h.n.Add(1)
	}
	return nil
}

// TestMoreWaitThanTheLibraryKeepsInOrder: while the disk takes nothing more messages arrive than
// the library's queue holds, 2,048; they are stored in the order in which they came. Before, what
// was beyond that came in any order.
//
// Mutation of session.go: what arrives while more than 2,048 stanzas wait is put into the library's
// queue in any order.
func TestMoreWaitThanTheLibraryKeepsInOrder(t *testing.T) {
	const n = 2500
	r := newRigOn(t, newSimWith(t, wasim.Options{Window: 2 * n}))
	var arrived atomic.Int64
	r.log = slog.New(messageLog{slog.DiscardHandler, &arrived})
	r.run()
	r.pair()
	ctx, cancel := context.WithTimeout(context.Background(), limit+n*200*time.Millisecond)
	defer cancel()
	bob := r.acc.NewContact("Bob", "15550100123")
	sendAll(t, func() (string, error) { return bob.SendText(ctx, "first") })
	must(t, r.acc.WaitDrained(ctx))
	before := arrived.Load()
	r.in.lock <- struct{}{}
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint("message ", i))
		_, err := bob.SendText(ctx, want[i])
		must(t, err)
	}
	eventually(t, "all of them", func() bool { return arrived.Load()-before >= n })
	<-r.in.lock
	must(t, r.acc.WaitDrained(ctx))
	if got := r.texts()[1:]; !slices.Equal(got, want) {
		at := 0
		for at < min(len(got), n) && got[at] == want[at] {
			at++
		}
		t.Errorf("%d of %d, in another order from %d on", len(got), n, at)
	}
}
