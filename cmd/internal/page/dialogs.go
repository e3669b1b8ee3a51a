package page

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func (c *call) hook() (api.Webhook, string, error) {
	w, err := c.s.o.Service.Webhook(c.ctx(), c.pathID())
	return w, view.AddressOf(w.URL).Whole, err
}

func hookPath(id string) string { return Root + "webhooks/" + pathEscape(id) }

func (c *call) askPause() (dialog, error) {
	w, where, err := c.hook()
	return dialog{
		Heading: "Pause " + term.Clean(w.ID) + "?", Submit: "Pause", Back: hookPath(w.ID), Command: c.s.o.Command("webhook", "pause", term.Quote(w.ID)),
		Texts: []string{"Nothing more is sent to " + where + ", probes included. Attempts in flight finish. Events go on being stored and wait, at most as long as waiting events are kept."},
	}, err
}

func (c *call) askResume() (dialog, error) {
	w, where, err := c.hook()
	d := dialog{Heading: "Resume " + term.Clean(w.ID) + "?", Submit: "Resume", Back: hookPath(w.ID), Command: c.s.o.Command("webhook", "resume", term.Quote(w.ID))}
	if w.Pending == 0 {
		d.Texts = []string{"Deliveries to " + where + " go on with what comes."}
		return d, err
	}
	d.Texts = []string{fmt.Sprintf("%s, the oldest for %s: they are sent to %s in order, at once.", term.Plural(w.Pending, "event waits", "events wait"), view.Age(secondsOf(w.OldestPendingSeconds)), where)}
	d.Check = c.box("skip", "--skip-to-now", fmt.Sprintf("Leave out what waits: the %s become dead letters, and deliveries go on with what comes (--skip-to-now)", term.Plural(w.Pending, "event", "events")))
	return d, err
}

func (c *call) askRotate() (dialog, error) {
	w, where, err := c.hook()
	d := dialog{Heading: "Rotate the secret of " + term.Clean(w.ID) + "?", Submit: "Make a new secret", Back: hookPath(w.ID), Command: c.s.o.Command("webhook", "rotate-secret", term.Quote(w.ID))}
	if !w.RotationUntil.IsZero() {
		d.Heading, d.Submit, d.Fields = "End the rotation of "+term.Clean(w.ID)+"?", "Use the new secret alone", []field{{"promote", "1"}}
		d.Texts = []string{"The secret before stops working at once. Do this when " + where + " has the new one."}
		d.Command += " --promote"
		return d, err
	}
	if !w.Signed {
		d.Warn, d.Submit = "This webhook has no secret, so there is none to rotate. Give it one in the terminal: "+c.givesSecret(w), ""
		return d, err
	}
	d.Texts = []string{"A new secret is made and shown once. For 24 h, of what is sent to " + where + ":"}
	d.Items = []string{"webhook-signature carries both signatures, the new one first;", "X-Webhook-Signature stays on the old secret."}
	return d, err
}

func (c *call) askRemove() (dialog, error) {
	w, where, err := c.hook()
	d := dialog{
		Heading: "Remove " + term.Clean(w.ID) + "?", Submit: "Remove", Danger: true, Cancel: "Keep it", Back: hookPath(w.ID), Command: c.s.o.Command("webhook", "remove", term.Quote(w.ID)),
		Check: c.box("purge", "--purge", fmt.Sprintf("Also delete its settings and the %s it has not received, for good (--purge)", term.Plural(w.Pending+w.Dead, "event", "events"))),
	}
	text := "Nothing more is sent to " + where + "."
	if w.Pending > 0 {
		text += fmt.Sprintf(" The %s it is still owed become dead letters", term.Plural(w.Pending, "event", "events"))
		if w.Dead > 0 {
			text += fmt.Sprintf(" and stay with the %s it has", term.Count(w.Dead))
		}
		text += "."
	}
	if w.Pending == 0 && w.Dead > 0 {
		text += " " + term.Plural(w.Dead, "dead letter stays.", "dead letters stay.")
	}
	again := " Adding the same URL again brings back its settings."
	if w.Pending+w.Dead > 0 {
		again = " Adding the same URL again brings back its settings, so that they can be replayed."
	}
	if w.Lease != nil {
		again = " Its receiver is told. Its MCP client alone can subscribe again, as long as the host is allowed."
	}
	d.Texts = []string{text + again}
	return d, err
}

// selection is the dead letters that a form is about, by their ids or by a filter.
type selection struct {
	filter  api.DeadLetterFilter
	all     bool
	fields  []field // to ask for the same again
	command string  // the arguments that select the same
}

// selection reads which dead letters a form is about. A filter that names no end ends at until; the
// zero time is none.
func (c *call) selection(until time.Time) (selection, error) {
	ids := c.r.Form["id"]
	sel := selection{}
	if len(ids) > 0 && c.r.Form.Get("all") == "" {
		sel.filter.IDs = ids
		for _, id := range ids {
			sel.fields = append(sel.fields, field{"id", id})
		}
		sel.command = quoted(ids)
		return sel, nil
	}
	var err error
	if sel.filter, err = c.letterFilter(); err != nil {
		return sel, err
	}
	if len(sel.filter.IDs) > 0 {
		for _, id := range sel.filter.IDs {
			sel.fields = append(sel.fields, field{"id", id})
		}
		sel.command = quoted(sel.filter.IDs)
		return sel, nil
	}
	if sel.filter.Until.IsZero() {
		sel.filter.Until = until
	}
	sel.all = !sel.filter.Narrows()
	for _, name := range filterNames() {
		if v := c.input(name); v != "" {
			sel.fields = append(sel.fields, field{name, v})
		}
	}
	sel.fields = append(sel.fields, field{"all", "1"})
	words := filterFlags(sel.filter)
	if !sel.filter.Until.IsZero() {
		sel.fields = append(sel.fields, field{"until", moment(sel.filter.Until)})
	}
	if len(words) == 0 {
		words = []string{"--all"}
	}
	sel.command = strings.Join(words, " ")
	return sel, nil
}

// filterFlags are the flags of the command line that select the same.
func filterFlags(f api.DeadLetterFilter) []string {
	return flags(f.Since, f.Until, "--url", f.Webhook, "--reason", f.Reason, "--event", f.Event, "--chat", f.Chat)
}

func (c *call) askReplay() (dialog, error) {
	if err := c.parseForm(); err != nil {
		return dialog{}, err
	}
	sel, err := c.selection(time.Time{})
	if err != nil {
		return dialog{}, err
	}
	plan, err := c.s.o.Service.StartReplay(c.ctx(), api.StartReplay{DeadLetterFilter: sel.filter, All: sel.all, ReplayPace: api.ReplayPace{DryRun: true}})
	if err != nil {
		return dialog{}, err
	}
	total := int64(0)
	d := dialog{Fields: sel.fields, Pace: c.asksPace(), Back: Root + "deadletters"}
	for _, run := range plan.Runs {
		total += run.Total
		d.Items = append(d.Items, term.Plural(run.Total, "dead letter", "dead letters")+" to "+view.AddressOf(run.URL).Whole)
		if w, err := c.s.o.Service.Webhook(c.ctx(), run.Webhook); err == nil && w.Status != api.WebhookActive && d.Warn == "" {
			d.Warn, d.Test = replayWarning(w, c), w.ID
		}
	}
	d.Heading, d.Submit = "Replay "+term.Plural(total, "dead letter", "dead letters")+"?", "Replay "+term.Count(total)
	d.Texts = []string{"Oldest first, the same event ids and bytes, all attempts anew. They arrive after newer events of the same chat. It stops after 10 failures in a row and leaves the rest as they are."}
	d.left(plan, c)
	if total == 0 {
		d.Heading, d.Submit, d.Pace, d.Texts = "Nothing can be replayed", "", nil, d.Texts[1:]
		if len(d.Texts) == 0 {
			d.Texts = []string{"None of what was selected is dead any more: it was delivered, purged, or a replay of it runs."}
		}
	}
	d.Command = c.s.o.Command("deadletter", "replay", sel.command)
	return d, nil
}

// left says what of the selection is not replayed.
func (d *dialog) left(plan api.StartReplayResult, c *call) {
	if plan.Removed > 0 {
		text := term.Plural(plan.Removed, "is of a removed webhook", "are of removed webhooks") + ". Add it again first:"
		for _, id := range plan.RemovedWebhooks[:min(len(plan.RemovedWebhooks), 3)] {
			text += " " + c.s.o.Command("webhook", "add", term.Quote(id))
		}
		d.Texts = append(d.Texts, text)
	}
	if plan.OfEnded > 0 {
		d.Texts = append(d.Texts, term.Plural(plan.OfEnded, "is of a subscription of an MCP client that has ended", "are of subscriptions of MCP clients that have ended")+": nobody gets them again.")
	}
	if plan.Unreplayable > 0 {
		d.Texts = append(d.Texts, term.Plural(plan.Unreplayable, "cannot be replayed: its body is gone or damaged.", "cannot be replayed: their bodies are gone or damaged."))
	}
	if n := int64(len(plan.Missing)); n > 0 {
		d.Texts = append(d.Texts, term.Plural(n, "is dead no longer: it was delivered or purged.", "are dead no longer: they were delivered or purged."))
	}
}

func replayWarning(w api.Webhook, c *call) string {
	text := c.hookName(w.ID) + " is " + strings.ToLower(view.WebhookState(w.Status).Word) + "."
	if w.Status == api.WebhookPaused {
		return text + " Nothing is sent until it is resumed."
	}
	if w.LastError != nil {
		text += " Its last answer, " + c.clock.Ago(w.LastError.At).Text + ", was " + view.Attempt(*w.LastError) + "."
	}
	return text + " Test it first: a replay now will most likely fail again."
}

// asksPace asks for a pace, with what was chosen before.
func (c *call) asksPace() *pace {
	return &pace{cmp.Or(c.input("rate"), pace{}.Standard()), c.input("keep_going") != ""}
}

// box asks for a tick, with the one that was set before.
func (c *call) box(name, flag, text string) *check {
	return &check{name, flag, text, c.input(name) != ""}
}

// manyLetters is from how many on a purge asks for their number to be typed.
const manyLetters = 100

func (c *call) askPurge() (dialog, error) {
	if err := c.parseForm(); err != nil {
		return dialog{}, err
	}
	// what dies from now on is in no number that is shown here
	sel, err := c.selection(c.clock.Now.Truncate(time.Millisecond))
	if err != nil {
		return dialog{}, err
	}
	plan, err := c.s.o.Service.Purge(c.ctx(), api.PurgeRequest{DeadLetterFilter: sel.filter, All: sel.all, DryRun: true})
	if err != nil {
		return dialog{}, err
	}
	n := plan.Purged
	d := dialog{
		Heading: "Delete " + term.Plural(n, "dead letter", "dead letters") + " for good?", Submit: "Delete " + term.Count(n) + " for good", Danger: true, Cancel: "Keep them", Back: Root + "deadletters",
		Fields: sel.fields, Command: c.s.o.Command("deadletter", "purge", sel.command, "--yes"),
		Texts: []string{"Their bodies, attempts and answers are deleted and can never be replayed. Their webhooks never get these events. Other dead letters are not touched."},
	}
	d.Items = c.whose(sel, plan)
	if n > manyLetters {
		d.Must = n
	}
	if n == 0 {
		d.Heading, d.Submit, d.Texts = "Nothing to delete", "", []string{"None of what was selected is dead any more."}
	}
	return d, nil
}

// whose says of which webhooks the dead letters are that a purge deletes.
func (c *call) whose(sel selection, plan api.PurgeResult) (out []string) {
	if len(sel.filter.IDs) == 0 {
		if words := c.filterWords(sel.filter); words != "" {
			return []string{"all " + term.Count(plan.Purged) + " of: " + words}
		}
		return []string{"all " + term.Count(plan.Purged) + ", of every webhook, removed ones too"}
	}
	count, order := map[string]int64{}, []string{}
	for _, id := range sel.filter.IDs {
		if slices.Contains(plan.Missing, id) {
			continue
		}
		hook, _, _ := cutLast(strings.TrimPrefix(id, "dl_"), '_')
		if count[hook]++; count[hook] == 1 {
			order = append(order, hook)
		}
	}
	names := c.names()
	for _, hook := range order {
		of := term.Clean(hook)
		if names[hook] != "" {
			of = names[hook] + " (" + of + ")"
		}
		out = append(out, term.Count(count[hook])+" of "+of)
	}
	return out
}

func (c *call) askReplayEvents() (dialog, error) {
	if err := c.parseForm(); err != nil {
		return dialog{}, err
	}
	st, known := c.status()
	if !known {
		return dialog{}, c.statusErr
	}
	ids := c.r.Form["id"]
	if len(ids) == 0 {
		return dialog{}, api.Errorf(api.CodeInvalidArguments, "no events were given: search first, then send again what was found")
	}
	names, hooks := view.Names(st.Webhooks), [][2]string{}
	for _, w := range st.Webhooks {
		hooks = append(hooks, [2]string{w.ID, names[w.ID] + " · " + w.ID})
	}
	n := int64(len(ids))
	d := dialog{
		Heading: "Send " + term.Plural(n, "event", "events") + " again?", Submit: "Send " + term.Count(n) + " again", Select: options(c.input("webhook"), hooks...), Pace: c.asksPace(), Back: Root + "events",
		Texts: []string{"Those the webhook already has are sent once more, with the same event ids and X-Webhook-Replay. A receiver that drops repeats by id will drop them. What its filter does not want is left out."},
	}
	for _, id := range ids {
		d.Fields = append(d.Fields, field{"id", id})
	}
	d.Command = c.s.o.Command("event", "replay", quoted(ids))
	return d, nil
}

func (c *call) askUnpair() (dialog, error) {
	st, known := c.status()
	if !known {
		return dialog{}, c.statusErr
	}
	account := view.Number(st.Link.Account)
	if c.hide {
		account = view.Hidden
	}
	return dialog{
		Heading: "Unlink " + account + "?", Submit: "Unlink", Danger: true, Cancel: "Keep it linked", Back: Root + "link", Command: c.s.o.Command("unpair"),
		Texts: []string{"WhatsApp removes this device; new messages no longer arrive here. Webhooks, waiting events and dead letters stay. To go on, link again."},
	}, nil
}

// typed returns the number that somebody typed, with or without separators; -1 for none.
func typed(s string) int64 {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		if r == ',' || r == '.' || r == ' ' || r == '\u00a0' || r == '\'' {
			return -1
		}
		return 'x'
	}, s)
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// query is a path with values.
func query(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
