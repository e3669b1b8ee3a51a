package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// defaultPage is the length of a listing when none is asked for.
const defaultPage = 50

// DeadLetters returns one page. Total is exact at the moment of the first page and goes with the
// cursor: a filter costs one walk over the letters it looks at, whatever the
// number of pages.
func (s *Service) DeadLetters(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
	page := api.DeadLetterPage{Items: []api.DeadLetter{}}
	var err error
	if q.DeadLetterFilter, err = s.checkedFilter(q.DeadLetterFilter); err != nil {
		return page, err
	}
	if len(q.IDs) > 0 {
		return s.deadLettersByID(ctx, q.IDs)
	}
	rows, err := s.rowsFor(ctx, q.Webhook)
	if err != nil {
		return page, err
	}
	from, err := s.parseCursor(q, rows, &page.Total)
	if err != nil {
		return page, err
	}
	if q.Cursor == "" && !q.SkipTotal {
		if page.Total, err = s.total(ctx, rows, q.DeadLetterFilter); err != nil {
			return page, err
		}
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	// no more than this page needs, and one to see whether there is a next
	need := func() int { return min(limit-len(page.Items)+1, maxPage) }
	if q.Narrows() {
		need = longPages // few of them may be selected
	}
	walked := q.DeadLetterFilter
	if q.Look > 0 { // each that it looks at is counted here
		walked = api.DeadLetterFilter{}
	}
	last := ""
	for l, err := range s.deadLetters(ctx, rows, walked, from, need) {
		if err != nil {
			return page, err
		}
		if len(page.Items) == limit || q.Look > 0 && page.Looked == int64(q.Look) {
			page.NextCursor = fmt.Sprintf("%s/%d", last, page.Total)
			break
		}
		last = deadLetterID(l.row.sub.ID, l.seq())
		if q.Look > 0 {
			page.Looked++
		}
		if recordWanted(q.DeadLetterFilter, l.rec) && eventWanted(q.DeadLetterFilter, l.ev) {
			page.Items = append(page.Items, l.shown())
		}
	}
	return page, nil
}

func (s *Service) deadLettersByID(ctx context.Context, ids []string) (api.DeadLetterPage, error) {
	page := api.DeadLetterPage{Items: []api.DeadLetter{}}
	for _, id := range ids {
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

// parseCursor: a cursor is the id of the last letter seen and the total of the first page, so it
// stays valid whatever dies or is purged meanwhile.
func (s *Service) parseCursor(q api.DeadLetterQuery, rows []webhookRow, total *int64) (position, error) {
	if q.Cursor == "" {
		return position{}, nil
	}
	id, digits, _ := cutLast(q.Cursor, '/')
	sub, seq, err := s.parseDeadLetterID(id)
	if err == nil {
		*total, err = strconv.ParseInt(digits, 10, 64)
	}
	if err != nil || *total < 0 || q.Webhook != "" && sub != rows[0].sub.ID {
		return position{}, api.Errorf(api.CodeInvalidCursor, "cursor %q was not given by this listing: start again without one", q.Cursor)
	}
	return position{sub, seq}, nil
}

// total counts what a listing of f walks, rows being those it names.
func (s *Service) total(ctx context.Context, rows []webhookRow, f api.DeadLetterFilter) (n int64, err error) {
	if f.Narrows() {
		return s.countDead(ctx, rows, f)
	}
	stats, missing, err := s.counts(ctx)
	switch {
	case err != nil:
		return 0, apiError(err, "count the dead letters")
	case missing != nil:
		return s.countDead(ctx, rows, f)
	}
	return dead(stats), nil
}

// dead is how many deliveries are dead, removed webhooks included.
func dead(stats outbox.Stats) int64 {
	n := stats.RemovedDead
	for _, sub := range stats.Subs {
		n += sub.Dead
	}
	return n
}

// countDead counts what f selects of the given rows: from the engine's own counts where they
// suffice, else in one walk, which reads events only to compare their names.
func (s *Service) countDead(ctx context.Context, rows []webhookRow, f api.DeadLetterFilter) (n int64, err error) {
	if namesEvents(f) {
		for _, err := range s.deadLetters(ctx, rows, f, position{}, longPages) {
			if err != nil {
				return 0, err
			}
			n++
		}
		return n, nil
	}
	var stats outbox.Stats
	if !(api.DeadLetterFilter{Reason: f.Reason, Since: f.Since, Until: f.Until}).Narrows() {
		if stats, _, err = s.counts(ctx); err != nil {
			return 0, apiError(err, "count the dead letters")
		}
	}
	for _, r := range rows {
		if counted, known := stats.Subs[r.sub.ID]; known {
			n += counted.Dead
			continue
		}
		if counts, kept := s.keptCounts(ctx, r, f); kept {
			for _, c := range counts {
				n += c
			}
			continue
		}
		for rec, err := range s.deadRecords(ctx, r) {
			if err != nil {
				return 0, err
			}
			if recordWanted(f, rec) {
				n += deliveries(rec)
			}
		}
	}
	return n, nil
}

// deliveries is how many deliveries a dead record stands for.
func deliveries(rec outbox.Record) int64 { return int64(max(1, rec.Count)) }

// letter returns one dead letter with its event, body included.
func (s *Service) letter(ctx context.Context, id string) (deadLetter, error) {
	sub, seq, err := s.parseDeadLetterID(id)
	if err != nil {
		return deadLetter{}, err
	}
	gone := api.Errorf(api.CodeNotFound, "no dead letter %s: it was delivered, purged, or never there. See them with: %s", id, s.command("deadletter list"))
	row, found, err := s.rowByID(ctx, sub)
	if err != nil {
		return deadLetter{}, err
	}
	if !found {
		return deadLetter{}, gone
	}
	rec, err := s.o.Engine.RecordAt(ctx, sub, seq)
	if errors.Is(err, outbox.ErrNotFound) || err == nil && rec.State != outbox.Dead {
		return deadLetter{}, gone
	}
	if err != nil {
		return deadLetter{}, apiError(err, "read the dead letter")
	}
	ev, err := s.o.Engine.Event(ctx, seq)
	if errors.Is(err, outbox.ErrCorrupt) {
		err = nil // ev has what is left of it
	}
	if err != nil && !errors.Is(err, outbox.ErrNotFound) {
		return deadLetter{}, apiError(err, "read the dead letter")
	}
	if rec.IsRun() && api.Replayable(rec.Reason) {
		if err != nil || !row.sub.Owes(seq, ev.Head()) {
			return deadLetter{}, gone // inside the range, but never owed
		}
		rec.Seq, rec.Last, rec.Count = seq, 0, 0
	}
	return deadLetter{row, rec, ev}, nil
}

// DeadLetter returns one dead letter with its body and every attempt.
func (s *Service) DeadLetter(ctx context.Context, id string) (api.DeadLetterDetail, error) {
	l, err := s.letter(ctx, id)
	if err != nil {
		return api.DeadLetterDetail{}, err
	}
	d := api.DeadLetterDetail{
		DeadLetter: l.shown(), Body: string(l.ev.Body), Damaged: l.damaged(), AttemptLog: []api.AttemptLine{}, Sequence: uint64(l.seq()), Account: l.ev.Account,
		Signed: len(l.row.cfg.Secret) > 0, Headers: l.row.cfg.HeaderNames,
	}
	log := decodeLog(l.rec)
	for n, a := range log.Attempts {
		line := api.AttemptLine{N: a.N, At: a.At.UTC(), Ms: a.Took.Milliseconds(), Status: a.Status, Class: string(a.Class)}
		if n == len(log.Attempts)-1 {
			line.Response = string(log.Excerpt)
		}
		d.AttemptLog = append(d.AttemptLog, line)
	}
	return d, nil
}

// shown is a letter as listings show it.
func (l deadLetter) shown() api.DeadLetter {
	d := api.DeadLetter{
		ID: deadLetterID(l.row.sub.ID, l.seq()), Webhook: string(l.row.sub.ID), URL: l.row.cfg.URL, Removed: l.row.sub.Removed,
		Event: l.ev.Name, EventID: l.ev.Key, Chat: l.ev.Chat, ChatAlt: l.ev.ChatAlt, Attempts: l.rec.Attempts, FailedAt: l.rec.At.UTC(),
		Replay: l.rec.Replay, Unreplayable: l.unreplayable(),
	}
	if l.rec.IsRun() {
		d.Count, d.First = deliveries(l.rec), uint64(l.rec.Seq)
	}
	log := decodeLog(l.rec)
	d.LastError = api.LastError{Class: l.rec.Reason, Message: log.Message}
	if n := len(log.Attempts); n > 0 && l.rec.Attempts > 0 {
		last := log.Attempts[n-1]
		d.LastError.Class, d.LastError.Status = string(last.Class), last.Status
	}
	// whatever its attempts met, this is what ended it
	if text := endedText(l.rec.Reason); text != "" {
		d.LastError = api.LastError{Class: l.rec.Reason, Message: text}
	}
	return d
}

// endedText says what ended a delivery when it was no endpoint.
func endedText(reason string) string {
	switch reason {
	case api.ReasonUnregistered:
		return "the webhook was removed before this event was delivered"
	case api.ReasonSkipped:
		return "it was passed over when the webhook was resumed"
	case api.ReasonExpired:
		return "it waited longer than waiting events are kept, or made room for new ones; its body is gone"
	case api.ReasonCorrupt:
		return "its stored bytes are damaged; they are kept as evidence and never sent"
	}
	return ""
}

// decodeLog reads a record's attempt log; one that cannot be read is shown as empty rather than
// hiding the letter.
func decodeLog(rec outbox.Record) outbox.Log {
	log, err := outbox.DecodeLog(rec.Log)
	if err != nil {
		return outbox.Log{Message: "the attempt log cannot be read: " + err.Error()}
	}
	return log
}
