package admin

import (
	"context"
	"strings"
	"testing"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// editedEngine has an audit trail that something else changed, and keeps the record that it was
// accepted.
type editedEngine struct {
	Engine
	accepted []outbox.Audit
}

func (e *editedEngine) AcceptAudit(_ context.Context, note func(outbox.AuditCheck) (outbox.Audit, error)) (outbox.AuditCheck, error) {
	found := outbox.AuditCheck{SealChecked: true, Broken: []outbox.AuditBreak{{Kind: outbox.AuditSend, Number: 7, Why: "is missing"}}}
	a, err := note(found)
	e.accepted = append(e.accepted, a)
	return found, err
}

// TestOnlyTheUserAcceptsAnAuditTrail: nobody else does, and that he did is on record with what was
// found.
//
// Mutation of audit_verify.go: an agent accepts what was changed.
func TestOnlyTheUserAcceptsAnAuditTrail(t *testing.T) {
	r := newRig(t)
	engine := &editedEngine{Engine: r.o.Engine}
	r.o.Engine = engine
	for _, kind := range []string{api.CallerMCP, api.CallerHTTP, api.CallerPage} {
		r.by(kind, "x")
		if _, err := r.AcceptAudit(t.Context(), api.AcceptAudit{}); api.CodeOf(err) != api.CodeInvalidArguments || len(engine.accepted) > 0 {
			t.Errorf("%s: %v", kind, err)
		}
	}
	r.by(api.CallerCLI, "")
	out, err := r.AcceptAudit(t.Context(), api.AcceptAudit{})
	if err != nil || len(engine.accepted) != 1 || out.Record == "" || len(out.Found.Broken) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	e, err := engine.accepted[0].Entry()
	if err != nil || e.Caller != api.CallerCLI || e.Operation != "audit.accept" || len(e.Found) != 1 || !strings.Contains(e.Found[0], "send 7 -: the record is missing") {
		t.Errorf("on record: %+v, %v", e, err)
	}
}
