package admin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// watchedLink shows the audit trail as it is while the link is being changed.
type watchedLink struct {
	anyLink

	during func()
	err    error
	state  api.LinkState
}

func (l *watchedLink) Link() api.Link {
	return api.Link{State: l.state, Account: "1@s.whatsapp.net"}
}
func (l *watchedLink) Connect(context.Context) (api.Link, error) {
	l.during()
	return l.Link(), l.err
}
func (l *watchedLink) Disconnect(context.Context) (api.Link, error) {
	l.during()
	return l.Link(), l.err
}
func (l *watchedLink) Unpair(context.Context) (api.UnpairResult, error) {
	l.during()
	return api.UnpairResult{Account: "1@s.whatsapp.net"}, l.err
}
func (l *watchedLink) ContinuePairing(context.Context, api.ContinuePairing) (api.PairStep, error) {
	l.during()
	return api.PairStep{Step: api.StepFailed}, l.err
}
func (l *watchedLink) MarkRead(_ context.Context, in api.MarkRead) (api.MarkReadResult, error) {
	l.during()
	return api.MarkReadResult{Marked: len(in.Messages)}, l.err
}
func (l *watchedLink) WatchPresence(context.Context, api.WatchPresence) (api.WatchPresenceResult, error) {
	l.during()
	return api.WatchPresenceResult{}, l.err
}

// Whatever is changed outside the outbox is on record before it is changed: a process that ends in
// between leaves who began it. Afterwards the same record says what came of it.
//
// Mutation of audit_outside.go: what is changed outside the file is recorded after it, if the
// process still lives then.
// Mutation of link.go: messages are marked as read, and nobody knows by whom.
// Mutation of audit_outside.go: what cannot be recorded is done for an agent all the same.
func TestAChangeOutsideIsRecordedBeforeIt(t *testing.T) {
	for name, do := range map[string]func(r *rig, during func(), err error) error{
		"link.connect":    func(r *rig, _ func(), _ error) error { return errorOf(r.Connect(t.Context())) },
		"link.disconnect": func(r *rig, _ func(), _ error) error { return errorOf(r.Disconnect(t.Context())) },
		"link.unpair": func(r *rig, _ func(), _ error) error {
			return errorOf(r.Unpair(t.Context(), api.UnpairRequest{Approval: api.ApprovalGiven}))
		},
		"link.cancel-pairing": func(r *rig, _ func(), _ error) error {
			return errorOf(r.ContinuePairing(t.Context(), api.ContinuePairing{Cancel: true}))
		},
		"message.read": func(r *rig, _ func(), _ error) error {
			return errorOf(r.MarkRead(t.Context(), api.MarkRead{Messages: []api.MessageRef{{Chat: "1@lid", ID: "3A"}, {Chat: "1@lid", ID: "3B"}}}))
		},
		"presence.watch": func(r *rig, _ func(), _ error) error {
			return errorOf(r.WatchPresence(t.Context(), api.WatchPresence{Of: "1@lid"}))
		},
		"http-token.rotate": func(r *rig, during func(), err error) error {
			return r.Outside(t.Context(), "http-token.rotate", func(context.Context) error { during(); return err })
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.by(api.CallerMCP, "an-agent")
			var during []api.AuditRecord
			link := &watchedLink{during: func() { during = r.audit() }, state: api.LinkPairing}
			r.o.Link = link
			if err := do(r, link.during, nil); err != nil {
				t.Fatal(err)
			}
			if len(during) != 1 || during[0].Operation != name || during[0].Outcome != api.AuditBegun || during[0].Client != "an-agent" {
				t.Errorf("while it is changed the trail is %+v", during)
			}
			after := r.audit()
			if len(after) != 1 || !after[0].At.Equal(during[0].At) || after[0].Outcome != api.AuditDone {
				t.Errorf("afterwards it is %+v", after)
			}
			link.err = api.Retryf(api.CodeConnectFailed, "WhatsApp cannot be reached")
			if err := do(r, link.during, link.err); !errors.Is(err, link.err) {
				t.Error(err)
			}
			if all := r.audit(); len(all) != 2 || all[1].Outcome != api.AuditRefused || all[1].Code != string(api.CodeConnectFailed) || all[1].Reason != "WhatsApp cannot be reached" {
				t.Errorf("after it failed: %+v", all)
			}

			// What cannot be recorded is not done for an agent or a program; the owner mends what
			// is wrong with the same commands.
			r.o.Engine = &fullTrail{Engine: r.o.Engine}
			done := 0
			link.during, link.err = func() { done++ }, nil
			if err := do(r, link.during, nil); api.CodeOf(err) != api.CodeServiceUnavail || !strings.Contains(err.Error(), "nothing was done") || done != 0 {
				t.Errorf("without a trail: %v, done %d times", err, done)
			}
			r.by(api.CallerCLI, "")
			if err := do(r, link.during, nil); err != nil || done != 1 {
				t.Errorf("the owner: %v, done %d times", err, done)
			}
		})
	}
}

// A host is allowed between the two halves of its record too.
func TestAnAllowedHostIsRecordedBeforeIt(t *testing.T) {
	r := newRig(t)
	r.by(api.CallerCLI, "")
	during := ""
	r.o.Hosts = keepingHosts{Hosts: r.o.Hosts, keep: func() {
		all := r.audit()
		during = all[len(all)-1].Outcome
	}}
	if out, err := r.AllowHost(t.Context(), api.AllowHost{Host: "a.example"}); err != nil || !out.Changed || during != api.AuditBegun {
		t.Errorf("%+v, %v, begun %q", out, err, during)
	}
	if all := r.audit(); len(all) != 1 || all[0].Outcome != api.AuditDone || all[0].Object != "a.example" {
		t.Errorf("%+v", all)
	}
}

// keepingHosts calls keep before a change.
type keepingHosts struct {
	Hosts
	keep func()
}

func (h keepingHosts) Change(pattern string, disallow bool) (bool, string, error) {
	h.keep()
	return h.Hosts.Change(pattern, disallow)
}

// The command line says what it does to a setting, before and after; nobody else can, and no record
// is completed twice.
func TestRecordSetting(t *testing.T) {
	r := newRig(t)
	for _, kind := range []string{api.CallerMCP, api.CallerHTTP} {
		r.by(kind, "x")
		_, err := r.RecordSetting(t.Context(), api.RecordSetting{Key: "webhook-policy", Result: "open"})
		wantError(t, err, api.CodeApprovalDeclined, "command line only")
	}
	r.by(api.CallerCLI, "")
	_, err := r.RecordSetting(t.Context(), api.RecordSetting{})
	wantError(t, err, api.CodeInvalidArguments, "key is empty")
	outcomes := func(want ...string) {
		t.Helper()
		var got []string
		for _, a := range r.audit() {
			got = append(got, strings.TrimSpace(strings.Join([]string{a.Operation, a.Object, a.Result, a.Outcome, a.Reason + a.Warning}, " ")))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the trail is %q, want %q", got, want)
		}
	}
	begin := func(in api.RecordSetting) string {
		t.Helper()
		out, err := r.RecordSetting(t.Context(), in)
		if err != nil || out.Record == "" || out.Unwritten != "" {
			t.Fatal(out, err)
		}
		return out.Record
	}
	first := begin(api.RecordSetting{Key: "max-sends", Result: "10, was 60"})
	outcomes("setting.set max-sends 10, was 60 begun")
	if _, err := r.RecordSetting(t.Context(), api.RecordSetting{Record: first, Warning: "later"}); err != nil {
		t.Fatal(err)
	}
	outcomes("setting.set max-sends 10, was 60 done later")
	second := begin(api.RecordSetting{Key: "retain", Unset: true, Result: "unset"})
	if _, err := r.RecordSetting(t.Context(), api.RecordSetting{Record: second, Failure: "the disk is full"}); err != nil {
		t.Fatal(err)
	}
	outcomes("setting.set max-sends 10, was 60 done later", "setting.unset retain unset failed the disk is full")
	_, err = r.RecordSetting(t.Context(), api.RecordSetting{Record: second})
	wantError(t, err, api.CodeNotFound, "no change of a setting")
	begin(api.RecordSetting{Key: "retain", Result: "9h"})
	for limit := 1; limit < 5; limit++ { // whatever the pages, each is there once
		var got []string
		for q := (api.AuditQuery{Limit: limit}); ; {
			page, err := r.Audit(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page.Items {
				got = append(got, a.Object+" "+a.Outcome)
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
			if len(page.Items) != limit && len(got) < 3 {
				t.Errorf("a page of %d has %d", limit, len(page.Items))
			}
		}
		if want := []string{"retain begun", "retain failed", "max-sends done"}; !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %q, want %q", limit, got, want)
		}
	}

	// Commands that are killed in between leave no memory behind.
	for range 3 * openSettings {
		begin(api.RecordSetting{Key: "retain", Result: "1h"})
	}
	if n := len(r.settings.open); n != openSettings {
		t.Errorf("%d are open", n)
	}
	r.o.Engine = &fullTrail{Engine: r.o.Engine}
	if out, err := r.RecordSetting(t.Context(), api.RecordSetting{Key: "retain", Result: "2h"}); err != nil || out.Unwritten == "" {
		t.Errorf("without a trail: %+v, %v", out, err)
	}
}
