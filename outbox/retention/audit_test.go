package retention

import (
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
)

// The audit trail is kept for a year, and of each kind so many: a flood of refusals takes nothing
// from the changes. While nobody knows the time, only the numbers count.
//
// Mutation of retention.go: nobody keeps the audit trail within its bounds.
func TestTheAuditTrailIsBounded(t *testing.T) {
	for name, behind := range map[string]bool{"the time is known": false, "the clock is behind": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				now := time.Now()
				put := func(kind outbox.AuditKind, at time.Time, n int) {
					t.Helper()
					for i := range n {
						if err := r.PutAudit(t.Context(), outbox.Audit{AuditKey: outbox.AuditKey{Kind: kind, Time: at, Tag: uint32(i)}}); err != nil {
							t.Fatal(err)
						}
					}
				}
				put(outbox.AuditChange, now.Add(-outbox.AuditKept-day), 3)
				put(outbox.AuditChange, now.Add(-outbox.AuditKept+day), 2)
				put(outbox.AuditRefusal, now, outbox.AuditRefusal.Most()+30)
				if behind {
					ev := outbox.Event{Key: "evt_1", Name: "message.received", Time: now.Add(day)}
					if _, err := r.Append(t.Context(), ev); err != nil {
						t.Fatal(err)
					}
				}
				stop := r.start(days(3, 30, 30), now)
				defer stop()
				idle(2 * everyRound)
				count := map[outbox.AuditKind]int{}
				q := outbox.AuditQuery{}
				for {
					page, err := r.Audits(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					if len(page) == 0 {
						break
					}
					for _, a := range page {
						count[a.Kind]++
					}
					q.Before = page[len(page)-1].AuditKey
				}
				changes := 2
				if behind {
					changes = 5
				}
				if count[outbox.AuditChange] != changes || count[outbox.AuditRefusal] != outbox.AuditRefusal.Most() {
					t.Errorf("%d changes and %d refusals are left", count[outbox.AuditChange], count[outbox.AuditRefusal])
				}
			})
		})
	}
}
