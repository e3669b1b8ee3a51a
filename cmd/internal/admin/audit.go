package admin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"waoutbox/cmd/internal/admin/settings"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

const (
	// refusalsAtOnce are recorded in a row, and then one every refusalPause: whoever goes on asking
	// for what is refused fills no disk.
	refusalsAtOnce = 50
	refusalPause   = 20 * time.Second
	// auditWait bounds the write of a record after what it is about.
	auditWait = 10 * time.Second
	// maxAuditText bounds what a record says of one thing, in bytes.
	maxAuditText = 300
)

// trail is what the audit trail needs besides the engine.
type trail struct {
	refusals   *rate.Limiter
	unrecorded atomic.Int64
}

func newTrail() trail {
	return trail{refusals: rate.NewLimiter(rate.Every(refusalPause), refusalsAtOnce)}
}

// record makes the record of something that is done now, by whoever asks.
func (s *Service) record(ctx context.Context, kind outbox.AuditKind, e outbox.AuditEntry) (outbox.Audit, error) {
	by := s.asks(ctx)
	if strings.HasPrefix(e.Operation, "events.") && e.Principal == "" {
		e.Principal = by.Principal
	}
	e.Caller, e.Client, e.ClientVersion = by.Kind, auditText(by.Client), auditText(by.Version)
	e.Object, e.URL, e.Reason = auditText(e.Object), urlWithoutQuery(e.URL), auditText(e.Reason)
	return outbox.NewAudit(time.Now(), kind, e)
}

// carried is the record of a change on its way into the transaction of the change: of several steps
// the first that changes something carries it, with what was asked for.
type carried struct {
	entry outbox.AuditEntry
	audit []outbox.Audit // none once it is stored
}

// carry makes the record of what somebody asks for.
func (s *Service) carry(ctx context.Context, e outbox.AuditEntry) (*carried, error) {
	a, err := s.record(ctx, outbox.AuditChange, e)
	if err != nil {
		return nil, err
	}
	return &carried{entry: e, audit: []outbox.Audit{a}}, nil
}

// did notes that a step that was given the record has changed n things.
func (c *carried) did(n int) {
	if n > 0 {
		c.audit = nil
	}
}

// cameTo records what came of a change in several steps, where that is not what its first record
// says.
func (s *Service) cameTo(ctx context.Context, c *carried, result string) {
	if len(c.audit) > 0 || result == c.entry.Result {
		return
	}
	e := c.entry
	e.Result = result + " in all"
	s.done(ctx, outbox.AuditChange, e)
}

// done records what was done, after it. What cannot be recorded is logged: it is done all the same.
func (s *Service) done(ctx context.Context, kind outbox.AuditKind, e outbox.AuditEntry) {
	a, err := s.record(ctx, kind, e)
	if err != nil {
		s.o.Log.WarnContext(ctx, "a record of the audit trail could not be made", "operation", e.Operation, "error", err)
		return
	}
	s.store(ctx, []outbox.Audit{a}, e.Operation, e.Object)
}

// store writes records in a write of their own.
func (s *Service) store(ctx context.Context, all []outbox.Audit, operation, object string) {
	ctx, cancel := afterWrite(ctx, auditWait)
	defer cancel()
	if err := s.o.Engine.PutAudit(ctx, all...); err != nil {
		s.o.Log.WarnContext(ctx, "what was done could not be recorded in the audit trail", "operation", operation, "object", object, "error", err)
	}
}

// ended records how an operation ended: what it did, or why it did nothing. It is called deferred,
// and fill adds what is known at the end.
func (s *Service) ended(ctx context.Context, err *error, e outbox.AuditEntry, fill func(e *outbox.AuditEntry)) {
	if *err != nil {
		s.refused(ctx, err, e)
		return
	}
	if fill != nil {
		fill(&e)
	}
	if e.Operation != "" { // there was something to do
		s.done(ctx, outbox.AuditChange, e)
	}
}

// Recorded records, called deferred, what was asked for and done outside the service and changes
// nothing there.
func (s *Service) Recorded(ctx context.Context, operation string, err *error) {
	s.ended(ctx, err, outbox.AuditEntry{Operation: operation}, nil)
}

// refused records, called deferred, why an operation did nothing.
func (s *Service) refused(ctx context.Context, err *error, e outbox.AuditEntry) {
	if *err == nil || errors.Is(*err, outbox.ErrClosed) {
		return
	}
	failed(&e, *err)
	if !s.trail.refusals.Allow() {
		s.trail.unrecorded.Add(1)
		return
	}
	e.Unrecorded = s.trail.unrecorded.Swap(0)
	s.done(ctx, outbox.AuditRefusal, e)
}

// auditText makes a word of somebody else fit for the audit trail.
func auditText(s string) string {
	if s = term.Clean(s); len(s) <= maxAuditText {
		return s
	}
	return strings.ToValidUTF8(s[:maxAuditText], "") + "…"
}

// urlWithoutQuery returns a URL as it may be recorded: a query often holds a token. What is none
// gives "".
func urlWithoutQuery(raw string) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Host == "" {
		return ""
	}
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	u.User, u.Fragment, u.RawFragment, u.ForceQuery = nil, "", "", false
	return auditText(u.String())
}

// aboutWebhook begins a record of what ref names, an id or a URL.
func aboutWebhook(operation, ref string) outbox.AuditEntry {
	e := outbox.AuditEntry{Operation: operation}
	if ref = strings.TrimSpace(ref); strings.HasPrefix(ref, idPrefix) {
		e.Object = ref
	} else {
		e.URL = ref
	}
	return e
}

// aboutRow begins a record of a webhook that was found.
func aboutRow(operation string, r webhookRow, result string) outbox.AuditEntry {
	return outbox.AuditEntry{Operation: operation, Object: string(r.sub.ID), URL: r.cfg.URL, Result: result}
}

// changedFields names the settings in which two states of a webhook differ.
func changedFields(was, is webhookRow) (fields []string) {
	a, b := was.cfg, is.cfg
	f, g := was.filter(), is.filter()
	for _, c := range []struct {
		name string
		same bool
	}{
		{"url", a.URL == b.URL},
		{"events", slices.Equal(f.Events, g.Events)},
		{"chats", slices.Equal(f.Chats, g.Chats)},
		{"not_chats", slices.Equal(f.NotChats, g.NotChats)},
		{"kinds", slices.Equal(f.Kinds, g.Kinds)},
		{"secret", slices.Equal(a.Secret, b.Secret)},
		{"previous_secret", slices.Equal(a.PreviousSecret, b.PreviousSecret)},
		{"headers", slices.Equal(a.Headers, b.Headers)},
		{"ca", slices.Equal(a.CA, b.CA)},
		{"ordered", a.Unordered == b.Unordered},
		{"hold_after", a.HoldLimit() == b.HoldLimit()},
		{"max_rate", a.MaxRate == b.MaxRate},
		{"schedule", slices.Equal(settings.ScheduleText(a.Schedule), settings.ScheduleText(b.Schedule))},
		{"redrive", a.Redrive == b.Redrive},
		{"allow_insecure_http", a.AllowInsecureHTTP == b.AllowInsecureHTTP},
	} {
		if !c.same {
			fields = append(fields, c.name)
		}
	}
	return fields
}

// plural is a number of things.
func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

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
	ask := outbox.AuditQuery{Since: q.Since}
	if q.Cursor != "" {
		var ok bool
		if ask.Before, ok = parseAuditID(q.Cursor); !ok {
			return out, api.Errorf(api.CodeInvalidCursor, "cursor %q is none of the audit trail's: leave it out to begin at the newest record", auditText(q.Cursor))
		}
	}
	for more := true; more && len(out.Items) < limit; {
		ask.Limit = limit - len(out.Items)
		all, err := s.o.Engine.Audits(ctx, ask)
		if err != nil {
			return out, apiError(err, "read the audit trail")
		}
		for _, a := range withoutFirstHalves(all, ask.Before) {
			out.Items = append(out.Items, auditRecord(a))
		}
		if out.Next, more = "", len(all) == ask.Limit; more {
			ask.Before = all[len(all)-1].AuditKey
			out.Next = auditID(ask.Before)
		}
	}
	return out, nil
}

func auditRecord(a outbox.Audit) api.AuditRecord {
	e, err := a.Entry()
	if err != nil {
		e.Reason = "this record cannot be read"
	}
	r := api.AuditRecord{
		ID: auditID(a.AuditKey), At: a.Time, Caller: e.Caller, Client: e.Client, ClientVersion: e.ClientVersion, Principal: e.Principal, Operation: e.Operation,
		Object: e.Object, URL: e.URL, Fields: e.Fields, Result: e.Result, Outcome: api.AuditDone, Code: e.Code, Reason: e.Reason, Warning: e.Warning,
		Unrecorded: e.Unrecorded, Found: e.Found,
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
