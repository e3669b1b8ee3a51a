package admin

import (
	"context"
	"maps"
	"slices"
	"sync"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// outside is the record of a change that is made outside the outbox: in a file, or at WhatsApp. Its
// first half is written before the change, and the second with what came of it; a list shows the
// second in place of the first. A change that a crash cut off has the first half alone, which says
// that it was begun.
type outside struct {
	service *Service
	kind    outbox.AuditKind
	key     outbox.AuditKey // of the first half
	entry   outbox.AuditEntry
	// why it could not be written before the change; the change is made all the same
	unwritten string
}

// beginOutside writes the record of a change that comes next. Where it cannot be written an agent's
// or a program's change is refused. The owner of the state is at its command line, and mends what
// is wrong with the same commands: his is made, and the log says that it may not be on record.
func (s *Service) beginOutside(ctx context.Context, e outbox.AuditEntry) (*outside, error) {
	return s.beginKind(ctx, outbox.AuditChange, e)
}

// beginKind is beginOutside for records of another kind.
func (s *Service) beginKind(ctx context.Context, kind outbox.AuditKind, e outbox.AuditEntry) (*outside, error) {
	o := &outside{service: s, kind: kind, entry: e}
	e.Begun = true
	a, err := s.record(ctx, kind, e)
	if err == nil {
		a.Tag &^= 1
		o.key = a.AuditKey
		waiting, cancel := context.WithTimeout(ctx, auditWait)
		defer cancel()
		err = s.o.Engine.PutAudit(waiting, a)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil: // nothing was done
		return nil, ctx.Err()
	case s.asks(ctx).Kind != api.CallerCLI:
		return nil, api.Retryf(api.CodeServiceUnavail, "nothing was done, since it could not be recorded in the audit trail first (%s)", cause(err))
	default:
		o.unwritten = cause(err)
		s.o.Log.WarnContext(ctx, "what is done now could not be recorded in the audit trail first", "operation", e.Operation, "object", e.Object, "error", err)
	}
	return o, nil
}

// ended completes the record, called deferred: with what fill adds, or why the change failed.
func (o *outside) ended(ctx context.Context, err *error, fill func(e *outbox.AuditEntry)) {
	e := o.entry
	if *err != nil {
		failed(&e, *err)
	} else if fill != nil {
		fill(&e)
	}
	o.complete(ctx, e)
}

func (o *outside) complete(ctx context.Context, e outbox.AuditEntry) {
	a, err := o.service.record(ctx, o.kind, e)
	if err != nil {
		o.service.o.Log.WarnContext(ctx, "a record of the audit trail could not be made", "operation", e.Operation, "error", err)
		return
	}
	if !o.key.Time.IsZero() {
		a.AuditKey = secondHalf(o.key)
	}
	o.service.store(ctx, []outbox.Audit{a}, e.Operation, e.Object)
}

// secondHalf is the key of the second half of a record. Nothing lies between the two, and the
// second outlives the first.
func secondHalf(first outbox.AuditKey) outbox.AuditKey {
	first.Tag |= 1
	return first
}

// withoutFirstHalves leaves the first halves out whose second is there: right before it, newest
// first, or in the page before, which ended with after.
func withoutFirstHalves(all []outbox.Audit, after outbox.AuditKey) []outbox.Audit {
	shown := make([]outbox.Audit, 0, len(all))
	for _, a := range all {
		if a.Tag&1 != 0 || secondHalf(a.AuditKey) != after {
			shown = append(shown, a)
		}
		after = a.AuditKey
	}
	return shown
}

// failed says in a record why what it is about was not done.
func failed(e *outbox.AuditEntry, err error) {
	e.Code = string(api.CodeOf(err))
	if api.CodeOf(err) != api.CodeInternal { // else it is for the log
		e.Reason = err.Error()
	}
}

// Outside makes a change outside the service, between the two halves of its record.
func (s *Service) Outside(ctx context.Context, operation string, change func(context.Context) error) (err error) {
	o, err := s.beginOutside(ctx, outbox.AuditEntry{Operation: operation})
	if err != nil {
		return err
	}
	defer o.ended(ctx, &err, nil)
	return change(ctx)
}

// openSettings is how many changes of settings are recorded as begun at a time; the oldest is left
// as it is for another one.
const openSettings = 16

// settingsTrail has the records of settings that are being changed.
type settingsTrail struct {
	mu   sync.Mutex
	open map[string]*outside // by id
}

// RecordSetting records that the command line changes a setting, and then what came of it.
func (s *Service) RecordSetting(ctx context.Context, in api.RecordSetting) (out api.RecordedSetting, err error) {
	if s.asks(ctx).Kind != api.CallerCLI {
		return out, api.Errorf(api.CodeApprovalDeclined, "settings are changed on the command line only: %s", s.command("config set SETTING VALUE"))
	}
	if in.Record != "" {
		return out, s.settings.end(ctx, in)
	}
	if in.Key == "" {
		return out, api.Errorf(api.CodeInvalidArguments, "key is empty: give the name of the setting").In("key")
	}
	e := outbox.AuditEntry{Operation: "setting.set", Object: in.Key, Result: auditText(in.Result)}
	if in.Unset {
		e.Operation = "setting.unset"
	}
	o, err := s.beginOutside(ctx, e)
	if err != nil {
		return out, err
	}
	return api.RecordedSetting{Record: s.settings.begin(o), Unwritten: o.unwritten}, nil
}

func (t *settingsTrail) begin(o *outside) (id string) {
	id = auditID(o.key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[string]*outside{}
	}
	if len(t.open) >= openSettings {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(t.open)), func(a, b string) int { return t.open[a].key.Compare(t.open[b].key) })
		delete(t.open, oldest)
	}
	t.open[id] = o
	return id
}

func (t *settingsTrail) end(ctx context.Context, in api.RecordSetting) error {
	t.mu.Lock()
	o := t.open[in.Record]
	delete(t.open, in.Record)
	t.mu.Unlock()
	if o == nil {
		return api.Errorf(api.CodeNotFound, "no change of a setting with the record %q is going on", auditText(in.Record))
	}
	e := o.entry
	if in.Failure != "" {
		failed(&e, api.Errorf(api.CodeServiceUnavail, "%s", in.Failure))
	}
	e.Warning = auditText(in.Warning)
	o.complete(ctx, e)
	return nil
}
