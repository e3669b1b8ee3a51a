package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// longestChange is how long after its beginning the end of a change is looked for.
const longestChange = 10 * time.Minute

// Audit returns a page of the audit trail, newest first.
func (s *Service) Audit(ctx context.Context, q api.AuditQuery) (api.AuditPage, error) {
	out := api.AuditPage{Items: []api.AuditRecord{}}
	if q.Limit < 0 {
		return out, api.Errorf(api.CodeInvalidArguments, "limit %d: give how many of the newest records are listed", q.Limit).In("limit")
	}
	limit := q.Limit
	if limit == 0 || limit > outbox.MaxBatch {
		limit = outbox.MaxBatch
	}
	ask := outbox.AuditQuery{Since: q.Since, Limit: limit}
	if q.Cursor != "" {
		var ok bool
		if ask.Before, ok = parseAuditID(q.Cursor); !ok {
			return out, api.Errorf(api.CodeInvalidCursor, "cursor %q is none of the audit trail's: leave it out to begin at the newest record", auditText(q.Cursor))
		}
	}
	all, err := s.o.Engine.Audits(ctx, ask)
	if err != nil {
		return out, apiError(err, "read the audit trail")
	}
	ended, err := s.endedChanges(ctx, all)
	if err != nil {
		return out, apiError(err, "read the audit trail")
	}
	for _, a := range all {
		if r := auditRecord(a); !ended[r.ID] {
			out.Items = append(out.Items, r)
		}
	}
	if len(all) == limit {
		out.Next = auditID(all[len(all)-1].AuditKey)
	}
	return out, nil
}

// endedChanges returns the ids of the changes begun in records, newest first, whose end is on
// record too: among them, or a little later.
func (s *Service) endedChanges(ctx context.Context, records []outbox.Audit) (map[string]bool, error) {
	ended := map[string]bool{}
	note := func(all []outbox.Audit) {
		for _, a := range all {
			if e, err := a.Entry(); err == nil && e.Of != "" {
				ended[e.Of] = true
			}
		}
	}
	note(records)
	for _, a := range records {
		e, err := a.Entry()
		if err != nil || !e.Begun || ended[auditID(a.AuditKey)] {
			continue
		}
		later, err := s.o.Engine.Audits(ctx, outbox.AuditQuery{Before: outbox.AuditKey{Time: a.Time.Add(longestChange)}, Since: a.Time})
		if err != nil {
			return nil, err
		}
		note(later)
	}
	return ended, nil
}

func auditRecord(a outbox.Audit) api.AuditRecord {
	e, err := a.Entry()
	if err != nil {
		e.Reason = "this record cannot be read"
	}
	r := api.AuditRecord{
		ID: auditID(a.AuditKey), At: a.Time, Caller: e.Caller, Client: e.Client, ClientVersion: e.ClientVersion, Operation: e.Operation,
		Object: e.Object, URL: e.URL, Fields: e.Fields, Result: e.Result, Outcome: api.AuditDone, Code: e.Code, Reason: e.Reason, Warning: e.Warning,
		Unrecorded: e.Unrecorded,
	}
	switch {
	case e.Begun:
		r.Outcome = api.AuditBegun
	case a.Kind != outbox.AuditRefusal && e.Code == "":
	case unsure(api.Code(e.Code)):
		r.Outcome = api.AuditFailed
	default:
		r.Outcome = api.AuditRefused
	}
	return r
}

// unsure reports whether a failure may have left something done.
func unsure(code api.Code) bool {
	return slices.Contains([]api.Code{api.CodeInternal, api.CodeTimeout, api.CodeServiceUnavail, api.CodeOutboxFull, api.CodeSendFailed}, code)
}

// auditPrefix begins the id of a record: au_TIME-TAG-KIND, in hexadecimal.
const auditPrefix = "au_"

func auditID(k outbox.AuditKey) string {
	return fmt.Sprintf("%s%x-%x-%x", auditPrefix, k.Time.UnixNano(), k.Tag, uint8(k.Kind))
}

func parseAuditID(id string) (k outbox.AuditKey, ok bool) {
	parts := strings.Split(strings.TrimPrefix(id, auditPrefix), "-")
	if len(parts) != 3 || !strings.HasPrefix(id, auditPrefix) {
		return k, false
	}
	at, err1 := strconv.ParseUint(parts[0], 16, 63)
	tag, err2 := strconv.ParseUint(parts[1], 16, 32)
	kind, err3 := strconv.ParseUint(parts[2], 16, 8)
	if errors.Join(err1, err2, err3) != nil || at == 0 {
		return k, false
	}
	return outbox.AuditKey{Time: time.Unix(0, int64(at)).UTC(), Tag: uint32(tag), Kind: outbox.AuditKind(kind)}, true
}
