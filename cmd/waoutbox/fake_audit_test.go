package main

import (
	"context"
	"slices"

	"waoutbox/outbox/api"
)

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
