package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"waoutbox/outbox/api"
)

// compareIDs orders dl_<webhook>_<seq> by webhook and sequence; the fixtures' sequences have one
// length.
func compareIDs(a, b string) int { return cmp.Compare(a, b) }

func (f *fakeService) matching(q api.DeadLetterFilter) []api.DeadLetterDetail {
	var out []api.DeadLetterDetail
	for _, l := range f.letters {
		if len(q.IDs) > 0 && !slices.Contains(q.IDs, l.ID) || q.Webhook != "" && q.Webhook != l.Webhook && q.Webhook != l.URL ||
			q.Event != "" && q.Event != l.Event || l.FailedAt.Before(q.Since) || !q.Until.IsZero() && !l.FailedAt.Before(q.Until) ||
			q.Chat != "" && q.Chat != l.Chat || q.Reason != "" && q.Reason != reasonOf(l) {
			continue
		}
		out = append(out, l)
	}
	return out
}

func (f *fakeService) DeadLetterSummary(_ context.Context, q api.DeadLetterFilter) ([]api.DeadLetterGroup, error) {
	done, err := f.begin("DeadLetterSummary")
	defer done()
	var out []api.DeadLetterGroup
	for _, l := range f.matching(q) {
		reason := reasonOf(l)
		i := slices.IndexFunc(out, func(g api.DeadLetterGroup) bool { return g.Webhook == l.Webhook && g.Reason == reason })
		if i < 0 {
			out = append(out, api.DeadLetterGroup{Webhook: l.Webhook, URL: l.URL, Removed: l.Removed, Reason: reason, First: l.FailedAt})
			i = len(out) - 1
		}
		out[i].Count += max(1, l.Count)
		out[i].Last = l.FailedAt
	}
	return out, err
}

func (f *fakeService) DeadLetters(_ context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
	done, err := f.begin("DeadLetters")
	defer done()
	f.queries = append(f.queries, q)
	all := f.matching(q.DeadLetterFilter)
	page := api.DeadLetterPage{Items: []api.DeadLetter{}, Total: int64(len(all))}
	for _, l := range all {
		if q.Cursor != "" && compareIDs(l.ID, q.Cursor) <= 0 {
			continue // a cursor stays valid when its letter is gone
		}
		if len(page.Items) == cmp.Or(q.Limit, 50) {
			page.NextCursor = page.Items[len(page.Items)-1].ID
			break
		}
		page.Items = append(page.Items, l.DeadLetter)
	}
	return page, err
}

func (f *fakeService) DeadLetter(_ context.Context, id string) (api.DeadLetterDetail, error) {
	done, err := f.begin("DeadLetter")
	defer done()
	for _, l := range f.letters {
		if l.ID == id {
			return l, err
		}
	}
	return api.DeadLetterDetail{}, api.Errorf(api.CodeNotFound, "no dead letter %s. See them with: waoutbox deadletter list", id)
}

// reasonOf is a letter's reason as the summary groups by it.
func reasonOf(l api.DeadLetterDetail) string {
	if l.LastError.Status > 0 {
		return fmt.Sprint(l.LastError.Status)
	}
	return l.LastError.Class
}

func (f *fakeService) Purge(_ context.Context, in api.PurgeRequest) (api.PurgeResult, error) {
	done, err := f.begin("Purge")
	defer done()
	res := api.PurgeResult{Note: strings.Join(f.warnings, " ")}
	for _, id := range in.IDs {
		if !slices.ContainsFunc(f.letters, func(l api.DeadLetterDetail) bool { return l.ID == id }) {
			res.Missing = append(res.Missing, id)
		}
	}
	for _, l := range f.matching(in.DeadLetterFilter) {
		res.Purged += max(1, l.Count)
		if res.DryRun = in.DryRun; in.DryRun {
			continue
		}
		f.letters = slices.DeleteFunc(f.letters, func(o api.DeadLetterDetail) bool { return o.ID == l.ID })
	}
	return res, err
}
