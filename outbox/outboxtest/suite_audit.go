package outboxtest

import (
	"fmt"
	"slices"
	"time"

	"waoutbox/outbox"
)

func auditCases() []testCase {
	return []testCase{
		{"a subscription and its audit record are one write", auditWithSub},
		{"a change and its audit record are one write", auditWithChange},
		{"forgetting a subscription and its audit record are one write", auditWithForget},
		{"a send and its audit record are one write", auditWithSend},
		{"the audit trail is listed newest first, in pages", auditListed},
		{"the audit trail is kept within bounds, each kind for itself", auditTrimmed},
		{"the audit trail is a chain, each kind for itself", auditChained},
		{"audit records that cannot be stored are refused", auditRefused},
	}
}

// auditAt is a record of a second.
func auditAt(sec int, kind outbox.AuditKind, what string) outbox.Audit {
	return outbox.Audit{AuditKey: outbox.AuditKey{Time: time.Unix(1_700_000_000+int64(sec), 5).UTC(), Tag: uint32(sec), Kind: kind}, Body: []byte(what)}
}

func (b *bench) audits(q outbox.AuditQuery) (bodies []string) {
	b.Helper()
	all, err := b.e.Audits(b.ctx, q)
	if err != nil {
		b.Fatalf("Audits: %v", err)
	}
	for _, a := range all {
		bodies = append(bodies, string(a.Body))
	}
	return bodies
}

func (b *bench) wantAudits(what string, q outbox.AuditQuery, want ...string) {
	b.Helper()
	if got := b.audits(q); !slices.Equal(got, want) {
		b.Fatalf("%s: the audit trail is %q, want %q", what, got, want)
	}
}

func auditWithSub(b *bench) {
	all := []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}
	s := outbox.Subscription{ID: "wh_a", Config: []byte("one"), Epochs: all}
	body := []byte("created")
	record := auditAt(1, outbox.AuditChange, "")
	record.Body = body
	if _, err := b.e.PutSub(b.ctx, s, record); err != nil {
		b.Fatal(err)
	}
	copy(body, "changed") // the engine has its own
	b.wantAudits("after PutSub", outbox.AuditQuery{}, "created")

	// what is refused leaves no record, whichever of the two is at fault
	if _, err := b.e.PutSub(b.ctx, outbox.Subscription{ID: "wh_b"}, auditAt(2, outbox.AuditChange, "wrong")); err == nil {
		b.Fatal("a subscription without epochs was stored")
	}
	_, err := b.e.PutSub(b.ctx, outbox.Subscription{ID: "wh_b", Epochs: []outbox.Epoch{{From: 9}, {From: 3}}}, auditAt(2, outbox.AuditChange, "wrong"))
	if err == nil {
		b.Fatal("epochs that fall were stored")
	}
	large := auditAt(2, outbox.AuditChange, string(make([]byte, outbox.MaxAuditBody+1)))
	_, err = b.e.PutSub(b.ctx, outbox.Subscription{ID: "wh_b", Epochs: all}, large)
	b.wantErr("a record that is too large", err, outbox.ErrTooLarge)
	_, err = b.e.Sub(b.ctx, "wh_b")
	b.wantErr("its subscription", err, outbox.ErrNotFound)
	b.wantAudits("after what was refused", outbox.AuditQuery{}, "created")

	// repeating the same call leaves one record
	for range 2 {
		if _, err := b.e.PutSub(b.ctx, s, auditAt(3, outbox.AuditChange, "updated"), auditAt(4, outbox.AuditRefusal, "warned")); err != nil {
			b.Fatal(err)
		}
	}
	b.wantAudits("after a repeated PutSub", outbox.AuditQuery{}, "warned", "updated", "created")
}

func auditWithChange(b *bench) {
	all := []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}
	if _, err := b.e.PutSub(b.ctx, outbox.Subscription{ID: "wh_a", Epochs: all}); err != nil {
		b.Fatal(err)
	}
	lane := func() string {
		b.Helper()
		_, lane, _, err := b.e.Load(b.ctx, "wh_a")
		if err != nil {
			b.Fatal(err)
		}
		return string(lane)
	}
	body := []byte("paused")
	record := auditAt(1, outbox.AuditChange, "")
	record.Body = body
	pause := outbox.Change{Sub: "wh_a", Lane: []byte("p"), Audit: []outbox.Audit{record}}
	for range 2 { // repeating it leaves one record
		if err := b.e.Commit(b.ctx, pause); err != nil {
			b.Fatal(err)
		}
	}
	copy(body, "change") // the engine has its own
	b.wantAudits("after a change", outbox.AuditQuery{}, "paused")

	// what is refused leaves neither, whichever of the two is at fault
	wrong := auditAt(2, outbox.AuditChange, "wrong")
	for what, c := range map[string]outbox.Change{
		"no such subscription": {Sub: "wh_b", Lane: []byte("x"), Audit: []outbox.Audit{wrong}},
		"a cursor too high":    {Sub: "wh_a", Next: 99, Lane: []byte("x"), Audit: []outbox.Audit{wrong}},
		"an unknown kind":      {Sub: "wh_a", Lane: []byte("x"), Audit: []outbox.Audit{auditAt(2, 99, "wrong")}},
	} {
		if err := b.e.Commit(b.ctx, c); err == nil {
			b.Fatalf("%s: it was taken", what)
		}
	}
	large := auditAt(2, outbox.AuditChange, string(make([]byte, outbox.MaxAuditBody+1)))
	err := b.e.Commit(b.ctx, outbox.Change{Sub: "wh_a", Lane: []byte("x"), Audit: []outbox.Audit{large}})
	b.wantErr("a record that is too large", err, outbox.ErrTooLarge)
	b.wantAudits("after what was refused", outbox.AuditQuery{}, "paused")
	if got := lane(); got != "p" {
		b.Fatalf("the lane's state is %q after what was refused", got)
	}
}

func auditWithForget(b *bench) {
	s := outbox.Subscription{ID: "wh_a", Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}
	if _, err := b.e.PutSub(b.ctx, s); err != nil {
		b.Fatal(err)
	}
	b.wantErr("one in use", b.e.Forget(b.ctx, "wh_a", auditAt(1, outbox.AuditChange, "wrong")), outbox.ErrHolds)
	b.wantAudits("after what was refused", outbox.AuditQuery{})
	s.Removed, s.Epochs = true, append(s.Epochs, outbox.Epoch{})
	if _, err := b.e.PutSub(b.ctx, s); err != nil {
		b.Fatal(err)
	}
	large := auditAt(2, outbox.AuditChange, string(make([]byte, outbox.MaxAuditBody+1)))
	b.wantErr("a record that is too large", b.e.Forget(b.ctx, "wh_a", large), outbox.ErrTooLarge)
	if err := b.e.Forget(b.ctx, "wh_a", auditAt(3, outbox.AuditChange, "forgotten")); err != nil {
		b.Fatal(err)
	}
	b.wantAudits("after Forget", outbox.AuditQuery{}, "forgotten")
}

func auditWithSend(b *bench) {
	b.putSend(prepared("A", "key"))
	sent := settled(prepared("A", "key"), outbox.SendSent, time.Now())
	sent.Audit = []outbox.Audit{auditAt(1, outbox.AuditSend, "sent")}
	for range 2 { // repeating it leaves one record
		if _, err := b.e.AppendSent(b.ctx, sent, msg("x", "c")); err != nil {
			b.Fatal(err)
		}
	}
	b.wantAudits("after AppendSent", outbox.AuditQuery{}, "sent")
	if s, err := b.e.Send(b.ctx, "A"); err != nil || s.Audit != nil {
		b.Fatalf("the entry is %+v, %v", s, err)
	}

	other := settled(prepared("B", "key"), outbox.SendSent, time.Now())
	other.Audit = []outbox.Audit{auditAt(2, outbox.AuditSend, "wrong")}
	_, err := b.e.AppendSent(b.ctx, other, msg("y", "c"))
	b.wantErr("a second send with the key", err, outbox.ErrDuplicate)
	b.wantErr("a second entry with the key", b.e.PutSend(b.ctx, other), outbox.ErrDuplicate)
	other.IdempotencyKey = ""
	other.Audit = []outbox.Audit{auditAt(2, outbox.AuditSend, string(make([]byte, outbox.MaxAuditBody+1)))}
	_, err = b.e.AppendSent(b.ctx, other, msg("y", "c"))
	b.wantErr("a record that is too large", err, outbox.ErrTooLarge)
	b.wantAudits("after what was refused", outbox.AuditQuery{}, "sent")

	other.Audit = []outbox.Audit{auditAt(3, outbox.AuditSend, "sent too")}
	if err := b.e.PutSend(b.ctx, other); err != nil {
		b.Fatal(err)
	}
	b.wantAudits("after PutSend", outbox.AuditQuery{}, "sent too", "sent")
}

func auditListed(b *bench) {
	kinds := outbox.AuditKinds()
	var want []string
	for _, i := range []int{4, 0, 2, 5, 1, 3, 6} { // in any order
		if err := b.e.PutAudit(b.ctx, auditAt(i, kinds[i%len(kinds)], fmt.Sprint(i))); err != nil {
			b.Fatalf("PutAudit: %v", err)
		}
	}
	same := auditAt(6, kinds[6%len(kinds)+1], "6 too")
	if err := b.e.PutAudit(b.ctx, same); err != nil {
		b.Fatalf("PutAudit: %v", err)
	}
	want = []string{"6 too", "6", "5", "4", "3", "2", "1", "0"}
	b.wantAudits("all", outbox.AuditQuery{}, want...)
	b.wantAudits("a few", outbox.AuditQuery{Limit: 3}, want[:3]...)
	b.wantAudits("since", outbox.AuditQuery{Since: time.Unix(1_700_000_003, 5)}, want[:5]...)
	b.wantAudits("since a moment later", outbox.AuditQuery{Since: time.Unix(1_700_000_003, 6)}, want[:4]...)

	for size := 1; size < 4; size++ {
		var got []string
		q := outbox.AuditQuery{Limit: size}
		for {
			page, err := b.e.Audits(b.ctx, q)
			if err != nil {
				b.Fatalf("Audits: %v", err)
			}
			if len(page) == 0 {
				break
			}
			for _, a := range page {
				got = append(got, string(a.Body))
			}
			q.Before = page[len(page)-1].AuditKey
		}
		if !slices.Equal(got, want) {
			b.Fatalf("pages of %d: %q, want %q", size, got, want)
		}
	}
}

func auditTrimmed(b *bench) {
	for i := range 6 {
		for _, kind := range []outbox.AuditKind{outbox.AuditChange, outbox.AuditRefusal} {
			if err := b.e.PutAudit(b.ctx, auditAt(i, kind, fmt.Sprintf("%d/%d", kind, i))); err != nil {
				b.Fatalf("PutAudit: %v", err)
			}
		}
	}
	trim := func(kind outbox.AuditKind, before time.Time, keep int) {
		b.Helper()
		for more := true; more; {
			var err error
			if _, more, err = b.e.TrimAudit(b.ctx, kind, before, keep); err != nil {
				b.Fatalf("TrimAudit: %v", err)
			}
		}
	}
	trim(outbox.AuditChange, time.Time{}, 10)
	trim(outbox.AuditSend, time.Unix(1_800_000_000, 0), 0)
	if got := b.audits(outbox.AuditQuery{}); len(got) != 12 {
		b.Fatalf("a trim of nothing left %q", got)
	}
	trim(outbox.AuditRefusal, time.Time{}, 2)
	trim(outbox.AuditChange, time.Unix(1_700_000_004, 5), 10)
	b.wantAudits("after the trims", outbox.AuditQuery{}, "2/5", "0/5", "2/4", "0/4")
	trim(outbox.AuditChange, time.Time{}, 0)
	b.wantAudits("after all changes were trimmed", outbox.AuditQuery{}, "2/5", "2/4")

	// more than one step takes
	n := outbox.MaxBatch + 20
	for from := 0; from < n; from += outbox.MaxBatch {
		var all []outbox.Audit
		for i := from; i < min(from+outbox.MaxBatch, n); i++ {
			all = append(all, auditAt(100+i, outbox.AuditSend, "sent"))
		}
		if err := b.e.PutAudit(b.ctx, all...); err != nil {
			b.Fatalf("PutAudit: %v", err)
		}
	}
	trim(outbox.AuditSend, time.Time{}, 1)
	b.wantAudits("after many", outbox.AuditQuery{}, "sent", "2/5", "2/4")
}

func auditRefused(b *bench) {
	if err := b.e.PutAudit(b.ctx, outbox.Audit{Body: []byte("when?")}); err == nil {
		b.Fatal("a record without a time was taken")
	}
	if err := b.e.PutAudit(b.ctx, auditAt(1, 99, "what?")); err == nil {
		b.Fatal("a record of an unknown kind was taken")
	}
	err := b.e.PutAudit(b.ctx, make([]outbox.Audit, outbox.MaxBatch+1)...)
	b.wantErr("too many", err, outbox.ErrTooLarge)
	b.wantAudits("after what was refused", outbox.AuditQuery{})
}

func auditChained(b *bench) {
	verify := func(what string, records int, known ...outbox.AuditLink) outbox.AuditCheck {
		b.Helper()
		got, err := b.e.VerifyAudit(b.ctx, known...)
		if err != nil || len(got.Broken) > 0 || got.Records[outbox.AuditChange]+got.Records[outbox.AuditSend]+got.Records[outbox.AuditRefusal] != records {
			b.Fatalf("%s: VerifyAudit = %+v, %v; want %d records, unbroken", what, got, err, records)
		}
		return got
	}
	if got := verify("nothing is stored", 0); len(got.Newest) != 0 {
		b.Fatalf("the newest of none: %+v", got.Newest)
	}
	want := map[outbox.AuditKind]*outbox.AuditLink{outbox.AuditChange: {}, outbox.AuditRefusal: {}}
	put := func(sec int, kind outbox.AuditKind) {
		b.Helper()
		a := auditAt(sec, kind, fmt.Sprint(sec))
		for range 2 { // as after a write of unknown outcome
			if err := b.e.PutAudit(b.ctx, a); err != nil {
				b.Fatalf("PutAudit: %v", err)
			}
		}
		l := want[kind]
		l.Kind, l.Number, l.Hash = kind, l.Number+1, l.Hash.Next(a)
	}
	// in the order in which they are stored, not that of their times
	for _, sec := range []int{3, 1, 2, 5} {
		put(sec, outbox.AuditChange)
	}
	put(4, outbox.AuditRefusal)
	got := verify("five are stored", 5)
	if want := []outbox.AuditLink{*want[outbox.AuditChange], *want[outbox.AuditRefusal]}; !slices.Equal(got.Newest, want) {
		b.Fatalf("the newest links are %+v, want %+v", got.Newest, want)
	}
	noted := got.Newest
	for _, keep := range []int{3, 1, 0} {
		if _, _, err := b.e.TrimAudit(b.ctx, outbox.AuditChange, time.Time{}, keep); err != nil {
			b.Fatalf("TrimAudit: %v", err)
		}
		if got := verify(fmt.Sprintf("%d are kept", keep), keep+1, noted...); !slices.Equal(got.Newest, noted) {
			b.Fatalf("a trim changed the newest links to %+v", got.Newest)
		}
	}
	put(6, outbox.AuditChange)
	if got := verify("another one is stored", 2, noted...); got.Newest[0] != *want[outbox.AuditChange] {
		b.Fatalf("the chain goes on with %+v, want %+v", got.Newest[0], want[outbox.AuditChange])
	}
	for what, forged := range map[string]outbox.AuditLink{
		"another hash": {Kind: outbox.AuditRefusal, Number: 1}, "a later one": {Kind: outbox.AuditRefusal, Number: 9, Hash: noted[1].Hash},
	} {
		if got, err := b.e.VerifyAudit(b.ctx, forged); err != nil || len(got.Broken) != 1 {
			b.Fatalf("%s was noted: VerifyAudit = %+v, %v", what, got, err)
		}
	}
}
