package connection

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim/fault"
)

// noticeLog calls arrived for each notification of a group's lock that the library has received,
// before it is handled, and acked for each acknowledgement that is about to be sent.
type noticeLog struct {
	slog.Handler
	arrived, acked func()
}

func (h noticeLog) Enabled(context.Context, slog.Level) bool { return true }

func (h noticeLog) WithAttrs([]slog.Attr) slog.Handler { return h }

func (h noticeLog) Handle(_ context.Context, rec slog.Record) error {
	var module, stanza string
	rec.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "module":
			module = a.Value.String()
		case "detail":
			stanza = a.Value.String()
		}
		return true
	})
	switch {
	case module == receivedModule && strings.HasPrefix(stanza, "<notification") && strings.Contains(stanza, "<announcement"):
		h.arrived()
	case module == sentModule && strings.HasPrefix(stanza, "<ack") && strings.Contains(stanza, "w:gp2"):
		h.acked()
	}
	return nil
}

// TestAGroupChangeTwiceAroundALostConnection: a change came twice on a connection that ended while
// the first copy was being stored, and what stored it acknowledges it on the next connection, on
// which it has come again and is not handled yet. It is told once. Before, a placeholder followed
// it: the acknowledgement was taken for that of the second copy, of which nothing was told.
func TestAGroupChangeTwiceAroundALostConnection(t *testing.T) {
	r := newMissedRig(t)
	r.stop()
	r.build(r.sim.URL(), r.sim.RootKey())
	stored, leave := make(chan struct{}), make(chan struct{})
	again, acked := make(chan struct{}), make(chan struct{}, 100)
	commit := r.in.commit
	var arrivals, commits atomic.Int64
	r.in.commit = func() func() error { // the handler's last act comes after the append
		n := commits.Load()
		if len(r.named(translate.GroupUpdate)) > 0 {
			n = commits.Add(1)
		}
		committed := commit()
		return func() error {
			if n == 1 {
				close(stored)
				<-leave
			}
			return committed()
		}
	}
	r.log = slog.New(noticeLog{slog.DiscardHandler, func() {
		if arrivals.Add(1) == 3 {
			close(again)
			<-acked
		}
	}, func() { acked <- struct{}{} }})
	r.run()
	ctx := bounded(t)
	must(t, r.acc.WaitOnline(ctx))
	must(t, r.acc.WaitDrained(ctx))
	must(t, r.acc.Fault(fault.Fault{From: fault.Server, Tag: "notification", Effect: fault.Twice}))
	must(t, r.group.Set(ctx, r.bob, "announcement", ""))
	<-stored
	eventually(t, "the second copy", func() bool { return arrivals.Load() == 2 })
	r.acc.Drop()
	<-again
	close(leave)
	must(t, r.group.Set(ctx, r.bob, "not_announcement", ""))
	must(t, r.acc.WaitDrained(ctx))
	var got []string
	for _, ev := range r.named(translate.GroupUpdate) {
		switch {
		case bytes.Contains(ev.Body, []byte(`"announce":true`)):
			got = append(got, "on")
		case bytes.Contains(ev.Body, []byte(`"announce":false`)):
			got = append(got, "off")
		default:
			got = append(got, string(ev.Body))
		}
	}
	if fmt.Sprint(got) != "[on off]" {
		t.Errorf("told %v", got)
	}
}
