package admin

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// DeadLetterSummary groups what f selects by webhook and reason. Without a filter by event or chat
// no event is read, and runs are counted as they are.
func (s *Service) DeadLetterSummary(ctx context.Context, f api.DeadLetterFilter) ([]api.DeadLetterGroup, error) {
	f, err := s.checkedFilter(f)
	if err != nil {
		return nil, err
	}
	rows, err := s.rowsFor(ctx, f.Webhook)
	if err != nil {
		return nil, err
	}
	byHook := make([]reasonGroups, len(rows))
	exactly := s.keptGroups(ctx, rows, f, byHook)
	out := []api.DeadLetterGroup{}
	for i, r := range rows {
		if groups := byHook[i]; groups == nil || exactly[i] {
			if byHook[i], err = s.summarise(ctx, r, f); err != nil {
				return nil, err
			}
		}
		out = append(out, byHook[i].sorted()...)
	}
	return out, nil
}

// keptGroups groups by the engine's own counts what these can tell of each row, nil otherwise, and
// says whose letters are few enough to be read for their times: those of the smallest first, as
// long as all of them together are.
func (s *Service) keptGroups(ctx context.Context, rows []webhookRow, f api.DeadLetterFilter, byHook []reasonGroups) (exactly []bool) {
	totals, order := make([]int64, len(rows)), []int{}
	every := f
	every.Reason = "" // for the times of one reason the letters of all are read
	for i, r := range rows {
		counts, kept := s.keptCounts(ctx, r, every)
		if !kept {
			continue
		}
		byHook[i] = reasonGroups{}
		for reason, n := range counts {
			totals[i] += n
			if f.Reason == "" || f.Reason == reason {
				byHook[i][reason] = &api.DeadLetterGroup{Webhook: string(r.sub.ID), URL: r.cfg.URL, Removed: r.sub.Removed, Reason: reason, Count: n}
			}
		}
		if len(byHook[i]) > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(totals[a], totals[b]) })
	exactly = make([]bool, len(rows))
	left := int64(exactTimes)
	for _, i := range order {
		left -= totals[i]
		exactly[i] = left >= 0
	}
	return exactly
}

// summarise groups what f selects of one webhook, and reads it for that.
func (s *Service) summarise(ctx context.Context, r webhookRow, f api.DeadLetterFilter) (reasonGroups, error) {
	groups := reasonGroups{}
	if namesEvents(f) {
		for l, err := range s.deadLettersOf(ctx, r, f, 0, longPages) {
			if err != nil {
				return nil, err
			}
			groups.add(r, l.rec, 1)
		}
		return groups, nil
	}
	for rec, err := range s.deadRecords(ctx, r) {
		if err != nil {
			return nil, err
		}
		if recordWanted(f, rec) {
			groups.add(r, rec, deliveries(rec))
		}
	}
	return groups, nil
}

// exactTimes is how many dead letters a summary reads at most to know when the first and the last
// of each reason died. Of the webhooks above it the counts alone are told.
const exactTimes = 10_000

// keptCounts returns the engine's own counts by reason of what f selects of one webhook; false when
// they cannot tell: f asks for more than a reason, or a reason of theirs stands for several.
func (s *Service) keptCounts(ctx context.Context, r webhookRow, f api.DeadLetterFilter) (map[string]int64, bool) {
	if namesEvents(f) || !f.Since.IsZero() || !f.Until.IsZero() {
		return nil, false
	}
	kept, err := s.o.Engine.DeadReasons(ctx, r.sub.ID)
	if err != nil {
		return nil, false // the walk meets the same error
	}
	out := map[string]int64{}
	for reason, n := range kept {
		switch {
		case reason == "" || reason == "other" || reason == string(outbox.ClassHTTP):
			return nil, false
		case f.Reason == "" || f.Reason == reason:
			out[reason] = n
		}
	}
	return out, true
}

// reasonGroups are the groups of one webhook by reason.
type reasonGroups map[string]*api.DeadLetterGroup

func (groups reasonGroups) add(r webhookRow, rec outbox.Record, n int64) {
	label := reasonLabel(rec)
	g := groups[label]
	if g == nil {
		g = &api.DeadLetterGroup{Webhook: string(r.sub.ID), URL: r.cfg.URL, Removed: r.sub.Removed, Reason: label, First: rec.At.UTC(), Last: rec.At.UTC()}
		groups[label] = g
	}
	g.Count += n
	if rec.At.Before(g.First) {
		g.First = rec.At.UTC()
	}
	if rec.At.After(g.Last) {
		g.Last = rec.At.UTC()
	}
}

// sorted returns the groups, the largest first.
func (groups reasonGroups) sorted() []api.DeadLetterGroup {
	out := make([]api.DeadLetterGroup, 0, len(groups))
	for _, g := range groups {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b api.DeadLetterGroup) int {
		if a.Count != b.Count {
			return int(b.Count - a.Count)
		}
		return strings.Compare(a.Reason, b.Reason)
	})
	return out
}

// reasonLabel is how the summary names a reason: the HTTP status where the endpoint sent one.
func reasonLabel(rec outbox.Record) string {
	if rec.Reason != string(outbox.ClassHTTP) && rec.Reason != "" {
		return rec.Reason
	}
	log := decodeLog(rec)
	if n := len(log.Attempts); n > 0 {
		if last := log.Attempts[n-1]; last.Status > 0 {
			return strconv.Itoa(last.Status)
		}
		return string(log.Attempts[n-1].Class)
	}
	return rec.Reason
}
