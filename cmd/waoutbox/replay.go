package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

const (
	// replayTick is how often outcomes are looked up.
	replayTick = 200 * time.Millisecond
	// carefulWindow is the number of failures in a row that stop a replay. Until a letter was delivered, and after a failure, no more
	// fly than may still fail: an endpoint that is still down touches ten letters and no others.
	carefulWindow = 10
	// fullWindow is how many fly otherwise: the service takes no more per webhook.
	fullWindow = 256
)

// replayer delivers the dead letters of a selection again and follows each to its end. The service has no job for that: the
// replayer names the letters it read from the listing, each once, and looks where they are.
type replayer struct {
	svc       api.Service
	filter    api.DeadLetterFilter
	count     count
	limit     *rate.Limiter
	perSecond float64
	keepGoing bool

	todo   []api.DeadLetter // read from the listing, not replayed yet
	cursor string
	ids    []string // of an id selection, not read yet
	read   bool     // the listing is read to its end
	flying []flight // in the order they were replayed

	delivered, failed int64
	queued            int64
	streak            int // failures in a row
	lastError         string
	waiting           int64       // queued at a webhook that is paused
	waitingFor        api.Webhook // the last of them
	stopped           bool        // by failures in a row
	missing           []string
}

// flight is a letter that was asked to be replayed.
type flight struct {
	letter api.DeadLetter
	sure   bool // the service took it; otherwise it may have had no room
}

func newReplayer(svc api.Service, f api.DeadLetterFilter, c count, perSecond float64, keepGoing bool) *replayer {
	limit, burst := rate.Limit(perSecond), max(1, int(math.Ceil(perSecond*replayTick.Seconds())))
	if perSecond == 0 {
		limit = rate.Inf
	}
	return &replayer{
		svc: svc, filter: f, count: c, limit: rate.NewLimiter(limit, burst), perSecond: perSecond, keepGoing: keepGoing,
		ids: f.IDs, missing: slices.Clone(c.missing),
	}
}

// run replays until every letter has its outcome, the failures stop it, or ctx ends. shown is called after each step.
func (r *replayer) run(ctx context.Context, shown func()) error {
	tick := time.NewTicker(replayTick)
	defer tick.Stop()
	for {
		if err := r.launch(ctx); err != nil {
			return err
		}
		if err := r.settle(ctx); err != nil {
			return err
		}
		shown()
		if r.stopped || len(r.flying) == 0 && len(r.todo) == 0 && r.read {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// launch replays as many letters as the window and the rate allow now.
func (r *replayer) launch(ctx context.Context) error {
	window := carefulWindow - r.streak
	if r.delivered > 0 && r.streak == 0 || r.keepGoing {
		window = fullWindow
	}
	for len(r.flying) < window {
		if err := r.fill(ctx); err != nil {
			return err
		}
		n := 0
		for n < min(window-len(r.flying), len(r.todo)) && r.limit.Allow() {
			n++
		}
		if n == 0 {
			return nil
		}
		batch := r.todo[:n]
		r.todo = r.todo[n:]
		ids := make([]string, n)
		for i, l := range batch {
			ids[i] = l.ID
		}
		res, err := r.svc.Replay(ctx, api.ReplayRequest{DeadLetterFilter: api.DeadLetterFilter{IDs: ids}})
		if err != nil {
			return err
		}
		r.queued += res.Queued
		r.missing = append(r.missing, res.Missing...)
		sure := res.Queued+int64(len(res.Missing)) == int64(n)
		for _, l := range batch {
			if !slices.Contains(res.Missing, l.ID) {
				r.flying = append(r.flying, flight{l, sure})
			}
		}
	}
	return nil
}

// fill reads on in the selection until there is something to do or it is read. Letters of removed webhooks are passed over.
func (r *replayer) fill(ctx context.Context) error {
	for len(r.todo) == 0 && !r.read {
		q := api.DeadLetterQuery{DeadLetterFilter: r.filter, Limit: pageSize, Cursor: r.cursor}
		if len(r.filter.IDs) > 0 {
			n := min(len(r.ids), pageSize)
			q = api.DeadLetterQuery{DeadLetterFilter: api.DeadLetterFilter{IDs: r.ids[:n]}, Limit: pageSize}
			r.ids = r.ids[n:]
		}
		page, err := r.svc.DeadLetters(ctx, q)
		if err != nil {
			return err
		}
		for _, l := range page.Items {
			if !l.Removed {
				r.todo = append(r.todo, l)
			}
		}
		r.cursor = page.NextCursor
		r.read = r.cursor == "" && len(r.ids) == 0
	}
	return nil
}

// settle looks where the flying letters are: dead again, still owed, or delivered.
//
// The webhooks are read before the letters. A letter that was not owed then was delivered or dead by then, and a dead one stays dead,
// so the second look tells the two apart.
func (r *replayer) settle(ctx context.Context) error {
	if len(r.flying) == 0 {
		return nil
	}
	now := time.Now()
	st, err := r.svc.Status(ctx)
	if err != nil {
		return err
	}
	ids := make([]string, len(r.flying))
	for i, f := range r.flying {
		ids[i] = f.letter.ID
	}
	dead, err := lettersByID(ctx, r.svc, ids)
	if err != nil {
		return err
	}
	hooks := map[string]api.Webhook{}
	for _, w := range st.Webhooks {
		hooks[w.ID] = w
	}
	var still []flight
	var noRoom []api.DeadLetter
	for _, f := range r.flying {
		w, known := hooks[f.letter.Webhook]
		again, isDead := dead[f.letter.ID]
		switch {
		case isDead && !f.sure && !again.FailedAt.After(f.letter.FailedAt):
			noRoom = append(noRoom, f.letter)
		case isDead:
			r.fail(again)
		case !known: // removed and purged meanwhile
			r.missing = append(r.missing, f.letter.ID)
		case !owed(w, f.letter, now):
			r.delivered++
			r.streak = 0
		case w.Status == api.WebhookPaused:
			r.waiting++
			r.waitingFor = w
		default:
			still = append(still, f)
		}
	}
	r.flying = still
	r.todo = append(noRoom, r.todo...)
	return nil
}

func (r *replayer) fail(l api.DeadLetter) {
	r.failed++
	r.lastError = lastErrorText(l.LastError)
	if r.streak++; r.streak >= carefulWindow && !r.keepGoing {
		r.stopped = true
	}
}

// owed reports whether the letter may still be among what the webhook is owed. The oldest event owed is known to the second; an event
// is older than its death.
func owed(w api.Webhook, l api.DeadLetter, now time.Time) bool {
	if w.Pending == 0 {
		return false
	}
	oldest := now.Add(-secondsOf(w.OldestPendingSeconds + 1))
	return !oldest.After(l.FailedAt)
}

// left is how many selected letters were not touched.
func (r *replayer) left() int64 {
	return max(0, r.count.live-r.delivered-r.failed-r.waiting-int64(len(r.flying))-int64(len(r.missing)-len(r.count.missing)))
}

// replayAndWatch runs a replay with its progress and says how it ended.
func (e *env) replayAndWatch(ctx context.Context, r *replayer) error {
	title := "replaying " + term.Count(r.count.live)
	if len(r.count.urls) == 1 {
		title += " to " + r.count.urls[0]
	}
	bar := term.NewBar(e.stderr, term.IsTerminal(e.stderr) && !e.json, title)
	started := time.Now()
	err := r.run(ctx, func() { bar.Draw(r.delivered+r.failed, r.count.live, r.pace(time.Since(started))) })
	bar.Clear()
	e.showReplay(r, err == nil)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("interrupted; what was queued goes on. Run it again to continue")
	case err != nil:
		return err
	case r.failed > 0 || r.stopped:
		return &resultError{exitFailed}
	}
	return nil
}

func (r *replayer) pace(elapsed time.Duration) string {
	var parts []string
	if done := float64(r.delivered + r.failed); done > 0 && elapsed > 0 {
		parts = append(parts, fmt.Sprintf("%.0f/s", math.Ceil(done/elapsed.Seconds())))
	}
	if r.failed > 0 {
		parts = append(parts, term.Count(r.failed)+" failed")
	}
	return strings.Join(parts, "  ")
}

// showReplay prints the end: one line for a program, a few for people.
func (e *env) showReplay(r *replayer, finished bool) {
	if e.json {
		missing := r.missing
		if missing == nil {
			missing = []string{}
		}
		e.printJSON(api.ReplayResult{Queued: r.queued, Remaining: r.failed + r.left() + r.count.removed, Missing: missing})
		return
	}
	e.printf("%s delivered, %s failed, %s left.\n", term.Count(r.delivered), term.Count(r.failed), term.Count(r.left()))
	if n := int64(len(r.flying)); n > 0 {
		e.printf("%s still on the way; the daemon goes on with them.\n", term.Count(n))
	}
	if r.waiting > 0 {
		w := r.waitingFor
		e.printf("%s queued: %s is paused (%s). They leave when it is resumed: %s\n", term.Count(r.waiting), w.ID,
			term.Clean(cmp.Or(w.Reason, "by its user")), e.addAgain(w.ID))
	}
	e.leftOut(count{removed: r.count.removed, revive: r.count.revive, missing: r.missing})
	switch {
	case !finished: // the error that follows tells
	case r.stopped:
		e.printf("Stopped after %d failures in a row (the last: %s). Mend the endpoint and run it again, or go on regardless: --keep-going\n", r.streak, r.lastError)
		e.next("waoutbox deadletter")
	case r.failed > 0:
		e.printf("The last failure: %s\n", r.lastError)
		e.next("waoutbox deadletter")
	default:
		e.next("waoutbox status")
	}
}
