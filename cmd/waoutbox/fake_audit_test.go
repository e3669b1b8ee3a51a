package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"waoutbox/outbox/api"
)

// edited is a service whose audit trail was changed by something else.
func edited() *fakeService {
	f := recorded()
	f.edited = true
	return f
}

// recorded is a service whose audit trail has one of everything.
func recorded() *fakeService {
	f := healthy()
	at := func(ago time.Duration) time.Time { return time.Now().Add(-ago).Truncate(time.Second) }
	f.audit = []api.AuditRecord{
		{ID: "au_5", At: at(10 * time.Second), Caller: api.CallerHTTP, Client: "n8n", Operation: "message.send", Object: "2048@lid", Result: "3EB0A1", Outcome: api.AuditDone},
		{ID: "au_4", At: at(time.Minute), Caller: api.CallerMCP, Client: "claude-code", ClientVersion: "2.1", Operation: "webhook.add", URL: "https://evil.example/hook?…",
			Outcome: api.AuditRefused, Code: string(api.CodeHostNotAllowed), Reason: "evil.example is not among the allowed hosts", Unrecorded: 7},
		{ID: "au_3", At: at(2 * time.Minute), Caller: api.CallerMCP, Client: "claude-code", ClientVersion: "2.1", Operation: "webhook.add", Object: "wh_7K2M", URL: "https://crm.example/hook",
			Fields: []string{"events", "secret"}, Result: "updated", Outcome: api.AuditDone, Warning: "crm.example is not among the allowed hosts"},
		{ID: "au_2", At: at(time.Hour), Caller: api.CallerCLI, ClientVersion: "0.1.0", Operation: "webhook.allow", Object: "crm.example", Outcome: api.AuditDone},
		{ID: "au_1", At: at(2 * time.Hour), Caller: api.CallerCLI, Operation: "deadletter.purge", Outcome: api.AuditFailed, Code: "timeout"},
	}
	return f
}

func (f *fakeService) AllowHost(_ context.Context, in api.AllowHost) (api.HostPolicy, error) {
	done, err := f.begin("AllowHost")
	defer done()
	out := api.HostPolicy{Policy: api.PolicyAsk}
	if has := slices.Contains(f.hosts, in.Host); in.Host != "" && has == in.Disallow {
		out.Changed = true
		if f.hosts = append(f.hosts, in.Host); in.Disallow {
			f.hosts = slices.DeleteFunc(f.hosts, func(h string) bool { return h == in.Host })
		}
	}
	out.Hosts = append([]string{}, f.hosts...)
	return out, err
}

// Audit returns f.audit, newest first, two a page.
func (f *fakeService) Audit(_ context.Context, q api.AuditQuery) (api.AuditPage, error) {
	done, err := f.begin("Audit")
	defer done()
	out := api.AuditPage{Items: []api.AuditRecord{}}
	for _, r := range f.audit {
		if q.Cursor != "" && r.ID >= q.Cursor || r.At.Before(q.Since) {
			continue
		}
		if len(out.Items) == 2 || q.Limit > 0 && len(out.Items) == q.Limit {
			out.Next = out.Items[len(out.Items)-1].ID
			break
		}
		out.Items = append(out.Items, r)
	}
	return out, err
}

func (f *fakeService) RecordSetting(_ context.Context, in api.RecordSetting) (api.RecordedSetting, error) {
	done, err := f.begin("RecordSetting")
	defer done()
	return api.RecordedSetting{Record: "au_1"}, err
}

// AcceptAudit accepts a trail of which one record is missing.
func (f *fakeService) AcceptAudit(context.Context, api.AcceptAudit) (api.AcceptedAudit, error) {
	done, err := f.begin("AcceptAudit")
	defer done()
	f.edited = false
	return api.AcceptedAudit{Record: "au_1", Found: api.AuditCheck{Broken: []api.AuditBreak{{Kind: "change", Number: 8, Why: "the record is missing"}}}}, err
}

// VerifyAudit finds the trail whole, unless a link is known: that one is missing then.
func (f *fakeService) VerifyAudit(_ context.Context, in api.VerifyAudit) (api.AuditCheck, error) {
	out := api.AuditCheck{Intact: len(in.Known) == 0, Records: int64(len(f.audit)), Links: []string{"change-3-" + strings.Repeat("9f", 32)}, SealChecked: true, Broken: []api.AuditBreak{}}
	if f.edited {
		out.Intact, out.Broken = false, []api.AuditBreak{{Kind: "change", Number: 8, Why: "the record is missing"}}
	}
	for range in.Known {
		out.Broken = append(out.Broken, api.AuditBreak{Kind: "change", Number: 8, Why: "the record that you noted is missing"})
	}
	return out, nil
}
