package admin

import (
	"testing"
	"time"

	"waoutbox/outbox"
)

// FuzzIDs: whatever is given as an id, a cursor or a link, what is taken is written as what is
// taken for the same, and a cursor of another log is none.
func FuzzIDs(f *testing.F) {
	for _, id := range []string{"dl_wh_7K2M_1042", "dl__1", "dl_wh_0", "dl_x_18446744073709551616", auditID(outbox.AuditKey{Time: time.Unix(1, 2).UTC(), Tag: 7, Kind: outbox.AuditSend}), "au_0-0-0", "au_1-1-100", "change-1-00",
		auditLink(outbox.AuditLink{Kind: outbox.AuditRefusal, Number: 9}), outbox.Position("state", 8), outbox.Position("", 1), "AQAAAAAAAAAA"} {
		f.Add(id, "state")
	}
	s := &Service{}
	f.Fuzz(func(t *testing.T, id, state string) {
		if sub, seq, err := s.parseDeadLetterID(id); err == nil {
			if again, n, err := s.parseDeadLetterID(deadLetterID(sub, seq)); err != nil || again != sub || n != seq {
				t.Errorf("%q is %s/%d, and that %s/%d, %v", id, sub, seq, again, n, err)
			}
		}
		if k, ok := parseAuditID(id); ok {
			if again, ok := parseAuditID(auditID(k)); !ok || again != k {
				t.Errorf("%q is %v, and that %v, %v", id, k, again, ok)
			}
		}
		if l, ok := parseAuditLink(id); ok {
			if again, ok := parseAuditLink(auditLink(l)); !ok || again != l {
				t.Errorf("%q is %v, and that %v, %v", id, l, again, ok)
			}
		}
		if seq, ok := outbox.ParsePosition(id, state); ok {
			if again, ok := outbox.ParsePosition(outbox.Position(state, seq), state); !ok || again != seq {
				t.Errorf("%q is %d, and that %d, %v", id, seq, again, ok)
			}
			if _, ok := outbox.ParsePosition(id, state+"x"); ok {
				t.Errorf("%q is a cursor of another log", id)
			}
		}
	})
}
