package admin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// auditKindNames are the kinds of records as links name them.
var auditKindNames = [...]string{outbox.AuditChange: "change", outbox.AuditSend: "send", outbox.AuditRefusal: "refusal", outbox.AuditSignal: "signal"}

// VerifyAudit checks that the audit trail is what was stored.
func (s *Service) VerifyAudit(ctx context.Context, in api.VerifyAudit) (api.AuditCheck, error) {
	var known []outbox.AuditLink
	for _, text := range in.Known {
		l, ok := parseAuditLink(text)
		if !ok {
			return api.AuditCheck{}, api.Errorf(api.CodeInvalidArguments, "known %q is no link of the audit trail: give what a check printed, like change-12-9f86d0…", auditText(text)).In("known")
		}
		known = append(known, l)
	}
	check, err := s.o.Engine.VerifyAudit(ctx, known...)
	if err != nil {
		return api.AuditCheck{}, apiError(err, "verify the audit trail")
	}
	return auditCheck(check), nil
}

// AcceptAudit takes an audit trail that something else changed as it is. The seal of a trail that
// somebody edited says so for ever otherwise, and hides what comes after.
func (s *Service) AcceptAudit(ctx context.Context, _ api.AcceptAudit) (out api.AcceptedAudit, err error) {
	e := outbox.AuditEntry{Operation: "audit.accept"}
	defer func() { s.refused(ctx, &err, e) }()
	if s.asks(ctx).Kind != api.CallerCLI {
		return out, api.Errorf(api.CodeInvalidArguments, "only the user, at the command line, says that an audit trail is taken as it is: %s", s.command("audit accept"))
	}
	found, err := s.o.Engine.AcceptAudit(ctx, func(found outbox.AuditCheck) (outbox.Audit, error) {
		e := e
		for _, b := range auditCheck(found).Broken {
			e.Found = append(e.Found, b.String())
		}
		e.Result = "taken as it is: " + plural(int64(len(found.Broken)), "place")
		if len(found.Broken) == outbox.MaxAuditBreaks {
			e.Result += " or more"
		}
		a, err := s.record(ctx, outbox.AuditChange, e)
		out.Record = auditID(a.AuditKey)
		return a, err
	})
	switch {
	case errors.Is(err, outbox.ErrAuditKey):
		return api.AcceptedAudit{}, api.Errorf(api.CodeInternal, "the audit trail is sealed with the file key, which is missing or cannot be used, so nothing was changed: put it back first (see %s)", s.command("doctor"))
	case err != nil:
		return api.AcceptedAudit{}, apiError(err, "accept the audit trail")
	}
	out.Found = auditCheck(found)
	return out, nil
}

func auditCheck(check outbox.AuditCheck) api.AuditCheck {
	out := api.AuditCheck{Intact: len(check.Broken) == 0, Links: []string{}, Broken: []api.AuditBreak{}, SealChecked: check.SealChecked, Unsealed: int64(check.Unsealed)}
	for _, n := range check.Records {
		out.Records += int64(n)
	}
	for _, l := range check.Newest {
		out.Links = append(out.Links, auditLink(l))
	}
	for _, b := range check.Broken {
		shown := api.AuditBreak{Kind: auditKindName(b.Kind), Number: int64(b.Number), Why: "the record " + b.Why}
		if !b.Key.Time.IsZero() && b.Key.Time.Unix() != 0 {
			shown.ID = auditID(b.Key)
		}
		out.Broken = append(out.Broken, shown)
	}
	return out
}

func auditKindName(k outbox.AuditKind) string {
	if int(k) < len(auditKindNames) {
		return auditKindNames[k]
	}
	return strconv.Itoa(int(k))
}

func auditLink(l outbox.AuditLink) string {
	return fmt.Sprintf("%s-%d-%x", auditKindName(l.Kind), l.Number, l.Hash[:])
}

func parseAuditLink(text string) (l outbox.AuditLink, ok bool) {
	parts := strings.Split(strings.TrimSpace(text), "-")
	if len(parts) != 3 {
		return l, false
	}
	kind := -1
	for i, name := range auditKindNames {
		if name == parts[0] {
			kind = i
		}
	}
	number, err := strconv.ParseUint(parts[1], 10, 64)
	hash, bad := hex.DecodeString(parts[2])
	if kind < 0 || err != nil || bad != nil || number == 0 || len(hash) != len(l.Hash) {
		return l, false
	}
	return outbox.AuditLink{Kind: outbox.AuditKind(kind), Number: number, Hash: outbox.AuditHash(hash)}, true
}
