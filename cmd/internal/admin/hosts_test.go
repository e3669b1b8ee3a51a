package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"waoutbox/cmd/internal/hosts"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// by makes everything that follows asked for by that caller.
func (r *rig) by(kind, client string) {
	r.o.Caller = func(context.Context) api.Caller { return api.Caller{Kind: kind, Client: client, Version: "1.2"} }
}

// policy sets the policy for hosts, kept in memory.
func (r *rig) policy(mode string, allowed ...string) {
	kept := hosts.List(allowed)
	r.o.Hosts = hosts.New(mode, kept, func(change func(hosts.List) hosts.List) (hosts.List, string, error) {
		kept = change(kept)
		return kept, "", nil
	})
}

// Who may register which host, in every policy, and what he is told.
//
// Mutation of hosts.go: an unlisted host is let through although hosts are locked.
// Mutation of webhook_put.go: a host's name is looked up, which tells its owner something, before
// it is allowed.
// Mutation of hosts.go: a program says that its user agreed.
func TestHostPolicy(t *testing.T) {
	const foreign, listed, here = "https://evil.test/hook?token=hidden", "https://good.test/hook", "http://127.0.0.1:9/hook"
	locked := "Allow it with: waoutbox --state-dir"
	for i, c := range []struct {
		policy, caller, url string
		approval            api.Approval
		code                api.Code
		says                string // in the error, or in a warning
	}{
		{api.PolicyAsk, api.CallerCLI, foreign, "", "", ""},
		{api.PolicyAsk, api.CallerMCP, here, "", "", ""},
		{api.PolicyAsk, api.CallerMCP, listed, "", "", ""},
		{api.PolicyAsk, api.CallerMCP, foreign, "", "", "evil.test is not among the allowed hosts, and nobody could be asked"},
		{api.PolicyAsk, api.CallerMCP, foreign, api.ApprovalAsk, api.CodeApprovalRequired, "to evil.test from now on?"},
		{api.PolicyAsk, api.CallerMCP, "http://10.0.0.7:5678/x", api.ApprovalAsk, api.CodeApprovalRequired, "to 10.0.0.7:5678 from now on?"},
		{api.PolicyLocked, api.CallerMCP, "http://[fd00::7]:5678/x", "", api.CodeHostNotAllowed, "[fd00::7]:5678"},
		{api.PolicyAsk, api.CallerMCP, foreign, api.ApprovalGiven, "", ""},
		{api.PolicyAsk, api.CallerMCP, foreign, api.ApprovalDeclined, api.CodeApprovalDeclined, "webhook allow evil.test"},
		{api.PolicyAsk, api.CallerMCP, listed, api.ApprovalDeclined, api.CodeApprovalDeclined, "did not agree"},
		{api.PolicyAsk, api.CallerHTTP, foreign, "", "", "nobody could be asked"},
		// a program cannot tell
		{api.PolicyAsk, api.CallerHTTP, foreign, api.ApprovalGiven, "", "nobody could be asked"},
		{api.PolicyLocked, api.CallerCLI, foreign, "", "", ""},
		{api.PolicyLocked, api.CallerMCP, here, "", "", ""},
		{api.PolicyLocked, api.CallerMCP, listed, "", "", ""},
		{api.PolicyLocked, api.CallerMCP, foreign, "", api.CodeHostNotAllowed, locked},
		{api.PolicyLocked, api.CallerMCP, foreign, api.ApprovalGiven, api.CodeHostNotAllowed, locked},
		{api.PolicyLocked, api.CallerHTTP, foreign, api.ApprovalGiven, api.CodeHostNotAllowed, locked},
		{api.PolicyLocked, "", foreign, "", api.CodeHostNotAllowed, locked}, // whoever that is
		{api.PolicyOpen, api.CallerMCP, foreign, api.ApprovalAsk, "", ""},
		{api.PolicyAsk, api.CallerMCP, "https://xn--80ak6aa92e.test/", api.ApprovalAsk, api.CodeApprovalRequired, "xn--80ak6aa92e.test (an international name"},
		{api.PolicyAsk, api.CallerMCP, "https://аррӏе.test/", api.ApprovalAsk, api.CodeApprovalRequired, "xn--80ak6aa92e.test (an international name"},
	} {
		t.Run(fmt.Sprint(i, c.policy, c.caller, c.approval), func(t *testing.T) {
			r := newRig(t)
			r.policy(c.policy, "good.test")
			r.by(c.caller, "agent")
			looked := false
			var log bytes.Buffer
			r.o.Log = slog.New(slog.NewTextHandler(&log, nil))
			r.o.Resolve = func(context.Context, string, bool) (string, error) { looked = true; return "", nil }
			res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: c.url, Approval: c.approval})
			if api.CodeOf(err) != c.code || c.code != "" && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v (%s), want %s with %q", err, api.CodeOf(err), c.code, c.says)
			}
			if c.code != "" && (looked || strings.Contains(err.Error(), "hidden")) {
				t.Errorf("the name was looked up: %t, before it was allowed; error %v", looked, err)
			}
			if warned := strings.Join(res.Warnings, " "); c.code == "" && (c.says == "") != (warned == "") || !strings.Contains(warned, c.says) && c.code == "" {
				t.Errorf("warnings %q, want %q", res.Warnings, c.says)
			}
			// an unasked one is a warning in all three places
			unasked := c.code == "" && c.says != ""
			if logged := strings.Contains(log.String(), "level=WARN msg=\"a webhook was registered on a host that is not allowed"); logged != unasked || strings.Contains(log.String(), "hidden") {
				t.Errorf("the log: %s", &log)
			}
			records := r.audit()
			if last := records[len(records)-1]; (last.Warning != "") != unasked || unasked && !strings.Contains(last.Warning, c.says) || strings.Contains(last.Warning, "hidden") {
				t.Errorf("on record is the warning %q", last.Warning)
			}
			hooks, err := r.Webhooks(t.Context())
			if err != nil || len(hooks) != map[bool]int{true: 1}[c.code == ""] {
				t.Errorf("then there are %d webhooks, %v", len(hooks), err)
			}
		})
	}
}

// Nobody is asked about a webhook in use that stays where it points. One that was removed points
// nowhere.
//
// Mutation of webhook_put.go: an agent revives a webhook that was removed, on a host that is not
// allowed.
func TestWebhooksInUseAreNotAskedFor(t *testing.T) {
	r := newRig(t)
	r.policy(api.PolicyLocked)
	id := r.put("https://mine.test/hook").Webhook.ID
	r.by(api.CallerMCP, "agent")
	for _, ref := range []string{id, "https://mine.test/hook", "HTTPS://MINE.test:443/hook"} {
		if _, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: ref, Events: &[]string{"message.sent"}}); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	_, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "https://mine.test/other"})
	wantError(t, err, api.CodeHostNotAllowed, "mine.test")
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id}); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{id, "https://mine.test/hook"} {
		_, err = r.PutWebhook(t.Context(), api.PutWebhook{URL: ref})
		wantError(t, err, api.CodeHostNotAllowed, "mine.test")
	}
}

// An agent may give a webhook another secret, but not make a signed one unsigned: neither one in
// use nor one that was removed. Before, it printed "got <nil> ()" and "a refused call changed the
// webhook".
//
// Mutation of hosts.go: an agent makes a signed webhook unsigned.
func TestNoAgentMakesAWebhookUnsigned(t *testing.T) {
	r := newRig(t)
	const url = "http://localhost/hook"
	put := func(secret string) error {
		_, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: url, Secret: &secret})
		return err
	}
	r.by(api.CallerMCP, "agent")
	for _, secret := range []string{"", "0123456789abcdef", "another-0123456789abcdef"} {
		if err := put(secret); err != nil {
			t.Errorf("%q: %v", secret, err)
		}
	}
	list, err := r.Webhooks(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	id := list[0].ID
	for _, removed := range []bool{false, true} {
		if removed {
			if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id}); err != nil {
				t.Fatal(err)
			}
		}
		wantError(t, put(""), api.CodeInvalidSecret, "webhook add "+id+" --no-secret")
		if len(r.stored(id).Secret) == 0 {
			t.Error("a refused call changed the webhook")
		}
	}
	if last := r.audit()[len(r.audit())-1]; last.Outcome != api.AuditRefused || last.Code != string(api.CodeInvalidSecret) {
		t.Errorf("the last record is %+v", last)
	}
	r.by(api.CallerCLI, "")
	if err := put(""); err != nil || len(r.stored(id).Secret) != 0 {
		t.Errorf("the command line could not: %v", err)
	}
}

// Only the command line changes the policy.
//
// Mutation of hosts.go: an agent allows the host that it wants to send to.
func TestAllowHost(t *testing.T) {
	r := newRig(t)
	r.policy(api.PolicyLocked)
	for _, kind := range []string{api.CallerMCP, api.CallerHTTP, ""} {
		r.by(kind, "cli")
		if _, err := r.AllowHost(t.Context(), api.AllowHost{Reread: true}); api.CodeOf(err) != api.CodeHostNotAllowed {
			t.Errorf("%q changes the policy: %v", kind, err)
		}
		for _, disallow := range []bool{false, true} {
			_, err := r.AllowHost(t.Context(), api.AllowHost{Host: "evil.test", Disallow: disallow})
			wantError(t, err, api.CodeHostNotAllowed, "on the command line only")
		}
		if st, err := r.AllowHost(t.Context(), api.AllowHost{}); err != nil || st.Policy != api.PolicyLocked || len(st.Hosts) != 0 || st.Changed {
			t.Errorf("%+v, %v", st, err)
		}
	}
	r.by(api.CallerCLI, "")
	_, err := r.AllowHost(t.Context(), api.AllowHost{Host: "https://a.test"})
	wantError(t, err, api.CodeInvalidArguments, "write a.example")
	for i, want := range []bool{true, false} {
		if st, err := r.AllowHost(t.Context(), api.AllowHost{Host: "Good.Test"}); err != nil || st.Changed != want || !slices.Equal(st.Hosts, []string{"good.test"}) {
			t.Errorf("time %d: %+v, %v", i, st, err)
		}
	}
	r.by(api.CallerMCP, "agent")
	if _, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "https://good.test/"}); err != nil {
		t.Errorf("an allowed host: %v", err)
	}
	r.by(api.CallerCLI, "")
	if st, err := r.AllowHost(t.Context(), api.AllowHost{Host: "good.test", Disallow: true}); err != nil || !st.Changed || len(st.Hosts) != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	// what the settings say now, once
	r.o.Hosts = hosts.New(api.PolicyLocked, nil, nil).Reading(func() (string, hosts.List, string, error) {
		return api.PolicyOpen, hosts.List{"x.test"}, "", nil
	})
	for i, want := range []bool{true, false} {
		if st, err := r.AllowHost(t.Context(), api.AllowHost{Reread: true}); err != nil || st.Changed != want || st.Policy != api.PolicyOpen || !slices.Equal(st.Hosts, []string{"x.test"}) {
			t.Errorf("time %d: %+v, %v", i, st, err)
		}
	}
	r.o.Hosts = hosts.New(api.PolicyLocked, nil, func(func(hosts.List) hosts.List) (hosts.List, string, error) { return nil, "", errors.New("disk full") })
	_, err = r.AllowHost(t.Context(), api.AllowHost{Host: "good.test"})
	wantError(t, err, api.CodeInternal, "nothing was changed: disk full")
	r.wantAudit([]string{
		"mcp webhook.policy  refused webhook_host_not_allowed", "mcp webhook.allow evil.test refused webhook_host_not_allowed", "mcp webhook.disallow evil.test refused webhook_host_not_allowed",
		"http webhook.policy  refused webhook_host_not_allowed", "http webhook.allow evil.test refused webhook_host_not_allowed", "http webhook.disallow evil.test refused webhook_host_not_allowed",
		" webhook.policy  refused webhook_host_not_allowed", " webhook.allow evil.test refused webhook_host_not_allowed", " webhook.disallow evil.test refused webhook_host_not_allowed",
		"cli webhook.allow https://a.test refused invalid_arguments", "cli webhook.allow good.test done ", "mcp webhook.add " + r.onlyID() + " done ",
		"cli webhook.disallow good.test done ", "cli webhook.allow good.test failed internal",
	})
}

// onlyID is the id of the only webhook.
func (r *rig) onlyID() string {
	r.t.Helper()
	all, err := r.Webhooks(r.t.Context())
	if err != nil || len(all) != 1 {
		r.t.Fatal(all, err)
	}
	return all[0].ID
}

// wantAudit compares the audit trail, oldest first: caller, operation, object, outcome, code.
func (r *rig) wantAudit(want []string) {
	r.t.Helper()
	var got []string
	for _, a := range r.audit() {
		got = append(got, fmt.Sprintf("%s %s %s %s %s", a.Caller, a.Operation, a.Object, a.Outcome, a.Code))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("the audit trail is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// audit is the whole audit trail, oldest first.
func (r *rig) audit() (all []api.AuditRecord) {
	r.t.Helper()
	q := api.AuditQuery{Limit: 7}
	for {
		page, err := r.Audit(r.t.Context(), q)
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			slices.Reverse(all)
			return all
		}
	}
}

// An agent discards nothing and logs nobody out unless its user agreed; one that cannot ask him is
// told the command, but for the policy open.
func TestAgentsDestroyNothingUnasked(t *testing.T) {
	for _, c := range []struct {
		policy, caller string
		approval       api.Approval
		done           bool
	}{
		{api.PolicyAsk, api.CallerCLI, "", true},
		{api.PolicyAsk, api.CallerHTTP, "", true},
		{api.PolicyAsk, api.CallerMCP, "", false},
		{api.PolicyAsk, api.CallerMCP, api.ApprovalAsk, false},
		{api.PolicyAsk, api.CallerMCP, api.ApprovalGiven, true},
		{api.PolicyAsk, api.CallerMCP, api.ApprovalDeclined, false},
		{api.PolicyLocked, api.CallerMCP, "", false},
		{api.PolicyOpen, api.CallerMCP, "", true},
		{api.PolicyOpen, api.CallerMCP, api.ApprovalDeclined, false},
	} {
		t.Run(fmt.Sprint(c.policy, c.caller, c.approval), func(t *testing.T) {
			r := newRig(t)
			r.o.Link = &auditedLink{engine: r.box}
			r.policy(c.policy)
			id := r.put("https://a.test/hook?token=hidden").Webhook.ID
			r.addDead(outbox.SubID(id), 2)
			r.by(c.caller, "agent")
			ctx := t.Context()
			if res, err := r.Purge(ctx, api.PurgeRequest{All: true, DryRun: true}); err != nil || res.Purged != 2 {
				t.Errorf("counting: %+v, %v", res, err)
			}
			which := api.DeadLetterFilter{Webhook: "https://a.test/hook?token=hidden"}
			res, purged := r.Purge(ctx, api.PurgeRequest{DeadLetterFilter: which, Approval: c.approval})
			_, unpaired := r.Unpair(ctx, api.UnpairRequest{Approval: c.approval})
			if c.done {
				if purged != nil || unpaired != nil || res.Purged != 2 {
					t.Errorf("%+v, %v; %v", res, purged, unpaired)
				}
				return
			}
			wantError(t, purged, api.CodeApprovalDeclined, "deadletter purge --url ")
			wantError(t, unpaired, api.CodeApprovalDeclined, " unpair")
			if strings.Contains(purged.Error(), "hidden") {
				t.Errorf("the error shows a secret: %v", purged)
			}
			records := r.audit()
			for _, a := range records[len(records)-2:] {
				if a.Outcome != api.AuditRefused || a.Code != string(api.CodeApprovalDeclined) {
					t.Errorf("on record is %+v", a)
				}
			}
			if res, err := r.Purge(ctx, api.PurgeRequest{All: true, DryRun: true}); err != nil || res.Purged != 2 {
				t.Errorf("what is left: %+v, %v", res, err)
			}
		})
	}
}
