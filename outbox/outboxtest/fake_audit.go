package outboxtest

import (
	"context"
	"slices"
	"time"

	"waoutbox/outbox"
)

// PutAudit stores records of the audit trail; see Engine.
func (f *Fake) PutAudit(ctx context.Context, all ...outbox.Audit) error {
	if err := outbox.CheckAudit(all); err != nil {
		return err
	}
	if err := f.enter(ctx, "PutAudit"); err != nil {
		return err
	}
	defer f.mu.Unlock()
	f.putAudit(all)
	return nil
}

func (f *Fake) putAudit(all []outbox.Audit) {
	for _, a := range all {
		a.Body = slices.Clone(a.Body)
		i, found := slices.BinarySearchFunc(f.audit, a.AuditKey, func(o outbox.Audit, k outbox.AuditKey) int { return o.Compare(k) })
		if found {
			f.audit[i] = a
		} else {
			f.audit = slices.Insert(f.audit, i, a)
		}
	}
}

// Audits lists the audit trail; see Engine.
func (f *Fake) Audits(ctx context.Context, q outbox.AuditQuery) ([]outbox.Audit, error) {
	if err := f.enter(ctx, "Audits"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	var out []outbox.Audit
	for _, a := range slices.Backward(f.audit) {
		if q.Wants(a.AuditKey) && len(out) < page(q.Limit) {
			a.Body = slices.Clone(a.Body)
			out = append(out, a)
		}
	}
	return out, nil
}

// TrimAudit removes old records, all at once; see Engine.
func (f *Fake) TrimAudit(ctx context.Context, kind outbox.AuditKind, before time.Time, keep int) (n int, more bool, err error) {
	if err := f.enter(ctx, "TrimAudit"); err != nil {
		return 0, false, err
	}
	defer f.mu.Unlock()
	left := keep
	var kept []outbox.Audit
	for _, a := range slices.Backward(f.audit) {
		if a.Kind == kind {
			if left--; left < 0 || a.Time.Before(before) {
				n++
				continue
			}
		}
		kept = append(kept, a)
	}
	slices.Reverse(kept)
	f.audit = kept
	return n, false, nil
}
