package main

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// selection is what replay and purge work on: ids, filters, or everything, never two of them.
type selection struct {
	letterFilter
	all bool
	ids []string
}

func (s *selection) flags(cmd *cobra.Command) {
	s.letterFilter.flags(cmd)
	cmd.Flags().BoolVar(&s.all, "all", false, "every dead letter")
}

// resolve reads ids and flags. Selecting nothing is left to the caller, whose sentence differs.
func (s *selection) resolve(verb string, ids []string, loc *time.Location) (api.DeadLetterFilter, error) {
	s.ids = unique(ids)
	f, err := s.filter(time.Now(), loc)
	if err != nil {
		return f, err
	}
	if len(s.ids) > 0 && (s.all || !s.letterFilter.empty()) || s.all && !s.letterFilter.empty() {
		return f, usagef("%s takes ids, or filters (--url, --event, --since), or --all: choose one", verb)
	}
	f.IDs = s.ids
	return f, nil
}

func (s *selection) none() bool { return len(s.ids) == 0 && !s.all && s.letterFilter.empty() }

// count is what a selection holds: letters that can be replayed, letters of removed webhooks, ids that are no dead letters, and the
// webhooks the first belong to.
type count struct {
	live, removed int64
	missing       []string
	webhooks      []string // ids
	urls          []string // of live, without queries
	revive        []string // ids of removed webhooks
}

// count looks what the filter selects.
func (s *selection) count(ctx context.Context, svc api.Service, f api.DeadLetterFilter) (count, error) {
	c := count{missing: []string{}}
	add := func(webhook, url string, removed bool, n int64) {
		if removed {
			c.removed += n
			c.revive = unique(append(c.revive, webhook))
			return
		}
		c.live += n
		c.webhooks = unique(append(c.webhooks, webhook))
		c.urls = unique(append(c.urls, shownURL(url)))
	}
	if len(f.IDs) == 0 {
		groups, err := svc.DeadLetterSummary(ctx, f)
		for _, g := range groups {
			add(g.Webhook, g.URL, g.Removed, g.Count)
		}
		return c, err
	}
	for chunk := range slices.Chunk(f.IDs, pageSize) {
		found, err := lettersByID(ctx, svc, chunk)
		if err != nil {
			return c, err
		}
		for _, id := range chunk {
			l, ok := found[id]
			if !ok {
				c.missing = append(c.missing, id)
				continue
			}
			add(l.Webhook, l.URL, l.Removed, 1)
		}
	}
	return c, nil
}

// lettersByID answers those of at most pageSize ids that are dead letters now.
func lettersByID(ctx context.Context, svc api.Service, ids []string) (map[string]api.DeadLetter, error) {
	page, err := svc.DeadLetters(ctx, api.DeadLetterQuery{DeadLetterFilter: api.DeadLetterFilter{IDs: ids}, Limit: pageSize})
	if err != nil {
		return nil, err
	}
	found := make(map[string]api.DeadLetter, len(page.Items))
	for _, l := range page.Items {
		found[l.ID] = l
	}
	return found, nil
}

func newDeadLetterReplayCmd(e *env) *cobra.Command {
	var sel selection
	var rate float64
	var dryRun, keepGoing bool
	cmd := &cobra.Command{
		Use:   "replay (ID… | --url U | --event E | --since T | --all)",
		Short: "Deliver dead letters again, in their original order",
		Long: `Delivers dead letters again with the same event id and the same bytes, and waits for the outcome.
Each gets the full schedule of four attempts. Replayed events arrive after newer ones of the same
chat. It stops after ten failures in a row and leaves the rest untouched; running it again
continues. Without a daemon the letters are queued for its next start.`,
		Example: `  waoutbox deadletter replay --url https://crm.example/hook
  waoutbox deadletter replay --all --since 2h --dry-run`,
		ValidArgsFunction: e.completeLetters,
		RunE: func(cmd *cobra.Command, ids []string) error {
			f, err := sel.resolve("replay", ids, e.loc)
			if err != nil {
				return err
			}
			if sel.none() {
				return usagef("nothing is selected to replay: name ids, a webhook (--url), an event (--event), a time (--since), or --all. See: %s", e.command("deadletter"))
			}
			if !(rate >= 0) || math.IsInf(rate, 0) { // NaN compares with nothing
				return usagef("--rate %g is no rate: write deliveries per second, like 20 or 0.5, or 0 for no limit", rate)
			}
			ctx := cmd.Context()
			return e.withService(ctx, needState, func(svc api.Service) error {
				st, err := svc.Status(ctx)
				if err != nil {
					return err
				}
				c, err := sel.count(ctx, svc, f)
				if err != nil {
					return err
				}
				switch {
				case c.live == 0:
					return e.nothingToReplay(c, &sel)
				case dryRun:
					e.showDryRun(c)
					return nil
				case st.Daemon == nil:
					return e.queueReplay(ctx, svc, f, &sel, c)
				}
				return e.replayAndWatch(ctx, newReplayer(svc, f, c, rate, keepGoing))
			})
		},
	}
	sel.flags(cmd)
	cmd.Flags().Float64Var(&rate, "rate", 20, "most deliveries per second; 0 is no limit")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be replayed")
	cmd.Flags().BoolVar(&keepGoing, "keep-going", false, "do not stop after ten failures in a row")
	return cmd
}

// nothingToReplay tells why a selection holds nothing: it is empty, delivered long since, or of removed webhooks only.
func (e *env) nothingToReplay(c count, sel *selection) error {
	if e.json {
		e.printJSON(api.ReplayResult{Remaining: c.removed, Missing: c.missing})
	}
	switch {
	case c.removed > 0:
		return api.Errorf(api.CodeWebhookNotFound, "%s of a removed webhook. Add it again, then replay: %s",
			term.Plural(c.removed, "dead letter is", "dead letters are all"), e.revivals(c.revive))
	case len(sel.ids) > 0:
		return api.Errorf(api.CodeNotFound, "no such dead letter: %s. It was delivered or purged, or was never there. See: %s", strings.Join(c.missing, ", "), e.command("deadletter list"))
	case !e.json:
		e.noLetters(&sel.letterFilter)
	}
	return nil
}

func (e *env) showDryRun(c count) {
	if e.json {
		e.printJSON(api.ReplayResult{Queued: c.live, Remaining: c.removed, Missing: c.missing})
		return
	}
	e.printf("%s would be replayed, oldest first, to %s. Nothing was changed.\n", term.Plural(c.live, "dead letter", "dead letters"), strings.Join(c.urls, ", "))
	e.leftOut(c)
	e.next("the same without --dry-run")
}

// revivals are the commands that bring removed webhooks back.
func (e *env) revivals(ids []string) string {
	var commands []string
	for _, id := range ids {
		commands = append(commands, e.addAgain(id))
	}
	return strings.Join(commands, "; ")
}

// leftOut names what a selection holds that cannot be replayed.
func (e *env) leftOut(c count) {
	if c.removed > 0 {
		e.note("%s of a removed webhook left out. Add it again first: %s", term.Plural(c.removed, "dead letter", "dead letters"), e.revivals(c.revive))
	}
	if len(c.missing) > 0 {
		e.note("not dead letters (delivered, purged or never there): %s", term.Clean(strings.Join(c.missing, ", ")))
	}
}

// queueReplay moves letters into delivery while no daemon runs: as many as there is room for.
func (e *env) queueReplay(ctx context.Context, svc api.Service, f api.DeadLetterFilter, sel *selection, c count) error {
	total := api.ReplayResult{Missing: []string{}}
	steps := []api.DeadLetterFilter{f}
	if len(f.IDs) > 0 {
		steps = steps[:0]
		for chunk := range slices.Chunk(f.IDs, pageSize) {
			steps = append(steps, api.DeadLetterFilter{IDs: chunk})
		}
	}
	for _, step := range steps {
		for {
			res, err := svc.Replay(ctx, api.ReplayRequest{DeadLetterFilter: step, All: sel.all})
			if err != nil {
				return err
			}
			total.Queued += res.Queued
			total.Missing = append(total.Missing, res.Missing...)
			if res.Queued == 0 || res.Remaining == 0 || len(f.IDs) > 0 {
				break
			}
		}
	}
	total.Missing = unique(total.Missing)
	total.Remaining = max(0, c.live-total.Queued) + c.removed
	if e.json {
		total.Note = "no daemon runs: queued for its next start"
		if total.Missing == nil {
			total.Missing = []string{}
		}
		e.printJSON(total)
		return nil
	}
	what := "they are"
	if total.Queued == 1 {
		what = "it is"
	}
	e.printf("%s queued; no daemon runs, so %s delivered when the service starts.\n", term.Plural(total.Queued, "dead letter", "dead letters"), what)
	e.leftOut(c)
	if more := total.Remaining - c.removed; more > 0 {
		e.printf("%s left: a webhook has at most %d replayed events waiting. Start the service and run this again.\n", term.Count(more), pageSize)
	}
	e.next("waoutbox start")
	return nil
}
