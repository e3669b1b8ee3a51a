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
		if !found {
			f.audit = slices.Insert(f.audit, i, a)
			if f.chain == nil {
				f.chain = map[outbox.AuditKind][]outbox.AuditHash{}
			}
			last := outbox.AuditHash{}
			if links := f.chain[a.Kind]; len(links) > 0 {
				last = links[len(links)-1]
			}
			f.chain[a.Kind] = append(f.chain[a.Kind], last.Next(a))
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

// AcceptAudit finds nothing to accept; see Engine.
func (f *Fake) AcceptAudit(ctx context.Context, _ func(outbox.AuditCheck) (outbox.Audit, error)) (outbox.AuditCheck, error) {
	return f.VerifyAudit(ctx)
}

// VerifyAudit finds the trail whole: nobody else changes it. It compares known; see Engine.
func (f *Fake) VerifyAudit(ctx context.Context, known ...outbox.AuditLink) (outbox.AuditCheck, error) {
	out := outbox.AuditCheck{Records: map[outbox.AuditKind]int{}}
	if err := f.enter(ctx, "VerifyAudit"); err != nil {
		return out, err
	}
	defer f.mu.Unlock()
	for _, a := range f.audit {
		out.Records[a.Kind]++
	}
	for _, kind := range outbox.AuditKinds() {
		links := f.chain[kind]
		if len(links) > 0 {
			out.Newest = append(out.Newest, outbox.AuditLink{Kind: kind, Number: uint64(len(links)), Hash: links[len(links)-1]})
		}
		for _, o := range known {
			if o.Kind == kind && (o.Number > uint64(len(links)) || o.Number > 0 && links[o.Number-1] != o.Hash) {
				out.Broken = append(out.Broken, outbox.AuditBreak{Kind: kind, Number: o.Number, Why: "is not the one that you noted"})
			}
		}
	}
	return out, nil
}
