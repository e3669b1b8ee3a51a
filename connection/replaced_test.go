package connection

import (
	"testing"

	"waoutbox/outbox/api"
)

// A link that another program took over stays down until somebody asks for it, also when somebody
// had asked before, while it was up. Before, it took the session back at once, and the alarm stayed
// although the link was up.
func TestReplacedAfterConnect(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	for range 2 {
		link, err := r.Connect(ctx)
		must(t, err)
		if link.State != api.LinkConnected || r.hasAlarm(alarmReplaced) {
			t.Errorf("after connect the link is %+v, alarms %v", link, r.Alarms())
		}
		r.acc.Replace()
		eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmReplaced) })
		eventually(t, "an idle link, or one that is up again", func() bool {
			r.wanted.mu.Lock()
			idle := r.wanted.waiting
			r.wanted.mu.Unlock()
			return idle || r.Link().State == api.LinkConnected
		})
		if state := r.Link().State; state != api.LinkDisconnected {
			t.Fatalf("the link is %s after it was replaced", state)
		}
	}
	_, err := r.Connect(ctx)
	must(t, err)
}
