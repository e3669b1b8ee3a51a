package page

import (
	"fmt"
	"strings"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// replayRow is a replay that runs, or the last of a webhook.
type replayRow struct {
	ID, Webhook string
	Heading     string
	Running     bool
	Calm        bool
	State       view.State
	Done, Total int64
	Delivered   int64
	Failed      int64
	Left        int64
	Without     string // how many had none of these outcomes, and why; "" none
	Rate        string
	ToGo        string
	Waiting     string
	Failure     string
	Text        string // how it ended
	Ended       view.Time
	Percent     int64
	KeepGoing   bool
}

// replayRows are the replays that run and those that ended lately, of one webhook or of all.
func (c *call) replayRows(webhook string) []replayRow {
	runs, err := c.s.o.Service.Replays(c.ctx())
	if err != nil {
		return nil // the rest of the page is as good without
	}
	out := []replayRow{}
	for _, r := range runs {
		lately := r.State == api.ReplayRunning || c.clock.Now.Sub(r.EndedAt) < replaysShown
		if (webhook == "" || r.Webhook == webhook) && lately {
			out = append(out, c.replayRow(r))
		}
	}
	return out
}

func (c *call) replayRow(r api.ReplayRun) replayRow {
	row := replayRow{
		ID: r.ID, Webhook: term.Clean(r.Webhook), Running: r.State == api.ReplayRunning, Done: r.Total - r.Left - r.Queued, Total: r.Total, Delivered: r.Delivered, Failed: r.Failed,
		Left: r.Left + r.Queued, Waiting: c.text(view.Line(r.Waiting)), KeepGoing: r.KeepGoing, Ended: c.clock.Ago(r.EndedAt),
	}
	what := map[bool]string{true: "events", false: "dead letters"}[r.Kind == api.ReplayPastEvents]
	row.Heading = fmt.Sprintf("Replaying %s %s to %s", term.Count(r.Total), what, view.HostPath(r.URL))
	row.Without = without(r)
	row.Rate = floatText(float64(int64(r.PerSecond*10+0.5))/10) + " per second"
	if r.SecondsLeft > 0 {
		row.ToGo = "about " + view.Age(secondsOf(r.SecondsLeft)) + " to go"
	}
	if r.Total > 0 {
		row.Percent = 100 * row.Done / r.Total
	}
	if r.LastError != nil {
		row.Failure = view.LastError(*r.LastError)
	}
	counts := fmt.Sprintf("%s delivered, %s failed, %s left", term.Count(r.Delivered), term.Count(r.Failed), term.Count(row.Left))
	if row.Without != "" {
		counts += ", " + row.Without
	}
	switch r.State {
	case api.ReplayDone:
		row.Calm, row.State, row.Text = r.Failed == 0, view.State{Class: "ok", Word: counts}, "To "+view.HostPath(r.URL)+"."
		if r.Failed > 0 {
			row.State.Class = "warn"
		}
	case api.ReplayGaveUp:
		row.State, row.Text = view.State{Class: "warn", Word: "Stopped: too many failures in a row"}, counts+". Mend the endpoint, test it, then run it again."
	default:
		row.State, row.Text = view.State{Class: "warn", Word: "Stopped"}, counts+". What was sent stays sent, the rest stays here. Running it again continues."
	}
	if r.Ended != "" {
		row.Text = c.text(term.Clean(r.Ended)) + ". " + row.Text
	}
	if row.Failure != "" && !row.Calm {
		row.Text += " The last failure: " + row.Failure + "."
	}
	return row
}

// without says how many of a replay were neither sent nor are left.
func without(r api.ReplayRun) string {
	var parts []string
	if n := r.Unreplayable; n > 0 {
		parts = append(parts, term.Plural(n, "cannot be read and stays dead", "cannot be read and stay dead"))
	}
	if n := r.Missing; n > 0 {
		parts = append(parts, term.Count(n)+map[bool]string{true: " kept no longer", false: " dead no longer"}[r.Kind == api.ReplayPastEvents])
	}
	return strings.Join(parts, ", ")
}
