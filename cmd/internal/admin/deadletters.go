package admin

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// defaultPage is the length of a listing when none is asked for.
const defaultPage = 50

// DeadLetters answers one page. Total is exact; with an event or since filter it costs a walk over the webhook's dead letters.
func (s *Service) DeadLetters(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
	page := api.DeadLetterPage{Items: []api.DeadLetter{}}
	if len(q.IDs) > 0 {
		for _, id := range q.IDs {
			d, err := s.DeadLetter(ctx, id)
			if api.CodeOf(err) == api.CodeNotFound {
				continue
			}
			if err != nil {
				return page, err
			}
			page.Items = append(page.Items, d.DeadLetter)
		}
		page.Total = int64(len(page.Items))
		return page, nil
	}
	rows, err := s.rowsFor(ctx, q.Webhook)
	if err != nil {
		return page, err
	}
	sub, seq, err := parseCursor(q.Cursor, rows)
	if err != nil {
		return page, err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	for l, err := range s.letters(ctx, rows, q.DeadLetterFilter, sub, seq) {
		if err != nil {
			return page, err
		}
		if len(page.Items) == limit {
			last := page.Items[limit-1]
			page.NextCursor = last.ID
			break
		}
		page.Items = append(page.Items, deadLetter(l))
	}
	page.Total, err = s.countLetters(ctx, rows, q.DeadLetterFilter)
	return page, err
}

// parseCursor: a cursor is the id of the last letter seen, so it stays valid whatever dies or is purged meanwhile.
func parseCursor(cursor string, rows []row) (outbox.SubID, outbox.Seq, error) {
	if cursor == "" {
		return "", 0, nil
	}
	sub, seq, err := parseDeadLetterID(cursor)
	if err != nil || !slices.ContainsFunc(rows, func(r row) bool { return r.sub.ID == sub }) {
		return "", 0, api.Errorf(api.CodeInvalidCursor, "cursor %q was not given by this listing: start again without one", cursor)
	}
	return sub, seq, nil
}

// countLetters counts what f selects: from the engine's own counts where they suffice.
func (s *Service) countLetters(ctx context.Context, rows []row, f api.DeadLetterFilter) (n int64, err error) {
	if f.Event == "" && f.Since.IsZero() {
		stats, err := s.o.Engine.Stats(ctx)
		if err != nil {
			return 0, apiError(err, "count the dead letters")
		}
		for _, r := range rows {
			n += stats.Subs[r.sub.ID].Dead
		}
		return n, nil
	}
	for _, err := range s.letters(ctx, rows, f, "", 0) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// DeadLetter answers one dead letter with its body and every attempt.
func (s *Service) DeadLetter(ctx context.Context, id string) (api.DeadLetterDetail, error) {
	sub, seq, err := parseDeadLetterID(id)
	if err != nil {
		return api.DeadLetterDetail{}, err
	}
	gone := api.Errorf(api.CodeNotFound, "no dead letter %s: it was delivered, purged, or never there. See them with: waoutbox deadletter list", id)
	rows, err := s.rows(ctx)
	if err != nil {
		return api.DeadLetterDetail{}, err
	}
	i := slices.IndexFunc(rows, func(r row) bool { return r.sub.ID == sub })
	if i < 0 {
		return api.DeadLetterDetail{}, gone
	}
	rec, err := s.o.Engine.DeadAt(ctx, sub, seq)
	if errors.Is(err, outbox.ErrNotFound) {
		return api.DeadLetterDetail{}, gone
	}
	if err != nil {
		return api.DeadLetterDetail{}, apiError(err, "read the dead letter")
	}
	ev, err := s.o.Engine.Event(ctx, seq)
	if err != nil && !errors.Is(err, outbox.ErrNotFound) {
		return api.DeadLetterDetail{}, apiError(err, "read the dead letter")
	}
	if rec.IsRun() {
		if err != nil || !rows[i].sub.Owes(seq, ev.Name, ev.Chat) {
			return api.DeadLetterDetail{}, gone // inside the range, but never owed
		}
		rec.Seq, rec.Last, rec.Count = seq, 0, 0
	}
	if ev.Seq == 0 {
		ev.Seq = seq
	}
	d := api.DeadLetterDetail{DeadLetter: deadLetter(letter{rows[i], rec, ev}), Body: string(ev.Body), AttemptLog: []api.AttemptLine{}}
	log := decodeLog(rec)
	for n, a := range log.Attempts {
		line := api.AttemptLine{N: a.N, At: a.At.UTC(), Ms: a.Took.Milliseconds(), Status: a.Status, Class: string(a.Class)}
		if n == len(log.Attempts)-1 {
			line.Response = string(log.Excerpt)
		}
		d.AttemptLog = append(d.AttemptLog, line)
	}
	return d, nil
}

func deadLetter(l letter) api.DeadLetter {
	d := api.DeadLetter{
		ID: deadLetterID(l.row.sub.ID, l.rec.Seq), Webhook: string(l.row.sub.ID), URL: l.row.cfg.URL, Removed: l.row.sub.Removed,
		Event: l.ev.Name, EventID: l.ev.Key, Chat: l.ev.Chat, Attempts: l.rec.Attempts, FailedAt: l.rec.At.UTC(),
	}
	log := decodeLog(l.rec)
	d.LastError = api.LastError{Class: l.rec.Reason, Message: log.Message}
	if n := len(log.Attempts); n > 0 && l.rec.Attempts > 0 {
		last := log.Attempts[n-1]
		d.LastError.Class, d.LastError.Status = string(last.Class), last.Status
	}
	if l.rec.Reason == reasonUnregistered { // whatever its attempts met, this is what ended it
		d.LastError = api.LastError{Class: reasonUnregistered, Message: "the webhook was removed before this event was delivered"}
	}
	return d
}

// reasonUnregistered marks the backlog of a removed webhook.
const reasonUnregistered = "unregistered"

// decodeLog reads a record's attempt log; one that cannot be read is shown as empty rather than hiding the letter.
func decodeLog(rec outbox.Record) outbox.Log {
	log, err := outbox.DecodeLog(rec.Log)
	if err != nil {
		return outbox.Log{Message: "the attempt log cannot be read: " + err.Error()}
	}
	return log
}

// reasonLabel is how the summary names a reason: the status where there was an answer.
func reasonLabel(rec outbox.Record) string {
	if rec.Reason == reasonUnregistered {
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

// DeadLetterSummary groups what f selects by webhook and reason. Without an event filter runs are counted without being read.
func (s *Service) DeadLetterSummary(ctx context.Context, f api.DeadLetterFilter) ([]api.DeadLetterGroup, error) {
	rows, err := s.rowsFor(ctx, f.Webhook)
	if err != nil {
		return nil, err
	}
	out := []api.DeadLetterGroup{}
	for _, r := range rows {
		groups := map[string]*api.DeadLetterGroup{}
		add := func(rec outbox.Record, n int64) {
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
		if f.Event != "" {
			for l, err := range s.lettersOf(ctx, r, 0) {
				if err != nil {
					return nil, err
				}
				if selects(f, l) {
					add(l.rec, 1)
				}
			}
		} else if err := s.eachDead(ctx, r, func(rec outbox.Record) {
			if f.Since.IsZero() || !rec.At.Before(f.Since) {
				add(rec, int64(max(1, rec.Count)))
			}
		}); err != nil {
			return nil, err
		}
		first := len(out)
		for _, g := range groups {
			out = append(out, *g)
		}
		slices.SortFunc(out[first:], func(a, b api.DeadLetterGroup) int {
			if a.Count != b.Count {
				return int(b.Count - a.Count)
			}
			return strings.Compare(a.Reason, b.Reason)
		})
	}
	return out, nil
}

func (s *Service) eachDead(ctx context.Context, r row, visit func(outbox.Record)) error {
	for at := outbox.Seq(0); ; {
		page, err := s.o.Engine.Dead(ctx, r.sub.ID, at, maxPage)
		if err != nil {
			return apiError(err, "read the dead letters")
		}
		for _, rec := range page {
			at = rec.KeySeq()
			visit(rec)
		}
		if len(page) < maxPage {
			return nil
		}
	}
}
