package connection

import (
	"slices"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// Each end of the link, and each attempt after it, is told once.
func TestEachStateIsToldOnce(t *testing.T) {
	again := []string{"connecting", "connected", "caught up"}
	for name, c := range map[string]struct {
		end  func(*rig)
		want []string
	}{
		"dropped":      {func(r *rig) { r.acc.Drop() }, append([]string{"disconnected 428"}, again...)},
		"stream error": {func(r *rig) { r.acc.StreamError("516") }, append([]string{"disconnected 516"}, again...)},
		"replaced":     {func(r *rig) { r.acc.Replace() }, []string{"disconnected 440"}},
		"logged out":   {func(r *rig) { r.acc.Unlink() }, []string{"disconnected 401"}},
		"banned":       {func(r *rig) { r.acc.Ban(101, time.Hour); r.acc.Drop() }, []string{"disconnected 428", "connecting", "disconnected 402"}},
		"logged out while it was down": {func(r *rig) {
			r.stop()
			r.acc.Unlink()
			r.restart()
		}, []string{"connecting", "disconnected 401"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := linkedRig(t)
			before := len(r.statuses())
			c.end(r)
			eventually(t, "the events", func() bool { return len(r.statuses()) >= before+len(c.want) })
			r.stop() // whatever follows has followed
			if got := r.statuses()[before:]; !slices.Equal(got, c.want) {
				t.Errorf("connection events %q, want %q", got, c.want)
			}
		})
	}
}

// After each outage within one process, and after a start, one gap is told.
func TestEachOutageHasItsGap(t *testing.T) {
	r := linkedRig(t)
	r.gapAfter(func() { r.acc.Drop() })
	r.gapAfter(func() { r.acc.StreamError("503") })
	r.gapAfter(func() {
		r.acc.Refuse(500)
		r.acc.Drop()
		eventually(t, "a refusal", func() bool { return r.Link().State == api.LinkConnecting && r.Link().Reason != "" })
		r.acc.Refuse(0)
	})
	r.down = time.Now().Add(-time.Hour)
	r.gapAfter(r.restart)
	if g := r.gaps(); g[len(g)-1].From != r.down.UnixMilli() {
		t.Errorf("the gap of the restart begins at %d, want %d", g[len(g)-1].From, r.down.UnixMilli())
	}
}

// gapAfter ends the connection and waits until exactly one gap more is told.
func (r *rig) gapAfter(end func()) {
	r.t.Helper()
	r.waitState(api.LinkConnected)
	gaps, caughtUp := len(r.gaps()), count(r.statuses(), "caught up")
	end()
	eventually(r.t, "catching up", func() bool { return count(r.statuses(), "caught up") > caughtUp })
	r.waitState(api.LinkConnected)
	if got := r.gaps(); len(got) != gaps+1 || got[gaps].To < got[gaps].From {
		r.t.Errorf("gaps %+v, want %d", got, gaps+1)
	}
}

func count(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}
