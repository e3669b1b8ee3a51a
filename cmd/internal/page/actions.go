package page

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// testWebhook makes one attempt and shows its outcome on the webhook's page.
func (s *Server) testWebhook(c *call) error {
	id := c.pathID()
	res, err := s.o.Service.TestWebhook(c.ctx(), api.TestWebhook{Webhook: id})
	if err != nil {
		return err
	}
	c.session.tell(c.testNotice(res))
	return c.to(hookPath(cmp.Or(res.ID, id)))
}

// testNotice says how a test ended, and what to do about it.
func (c *call) testNotice(res api.TestWebhookResult) notice {
	res.Error, res.Excerpt = term.Clean(res.Error), term.Clean(res.Excerpt)
	n := notice{State: view.State{Class: "ok", Word: "The test was accepted"}, Calm: true, Hook: res.ID, Command: c.s.o.Command("webhook", "test", term.Quote(res.ID))}
	if !res.Success {
		n.State, n.Calm = view.State{Class: "warn", Word: "The test was not accepted"}, false
	}
	a := view.AddressOf(res.URL)
	where := a.Whole
	if a.Query {
		where += "?…"
	}
	n.Text = fmt.Sprintf("POST %s · %s", where, res.Event)
	if res.Signed {
		n.Text += " · signed"
	}
	n.Text += ". " + view.LastError(api.LastError{Class: res.Class, Status: res.Status}) + " in " + view.Took(res.Ms)
	if res.Success {
		n.Text = fmt.Sprintf("POST %s · %s. %s in %s.", where, res.Event, view.Status(res.Status), view.Took(res.Ms))
	} else if res.Excerpt != "" {
		n.Text += ": “" + c.answer(res.Excerpt) + "”"
	}
	if advice := res.Advice(func(line string) string { return c.s.o.Command(line) }); advice != "" {
		n.Text = strings.TrimSuffix(n.Text, ".") + ". " + advice
	}
	return n
}

func (c *call) tell(class, heading, text string) {
	c.session.tell(notice{State: view.State{Class: class, Word: heading}, Calm: class == "ok", Text: text})
}

func (c *call) pause() (string, error) {
	state, err := c.s.o.Service.PauseWebhook(c.ctx(), c.pathID())
	if err != nil {
		return "", err
	}
	c.tell("paused", "Paused", "Nothing is sent to it until it is resumed.")
	return hookPath(state.Webhook.ID), nil
}

func (c *call) resume() (string, error) {
	state, err := c.s.o.Service.ResumeWebhook(c.ctx(), api.ResumeWebhook{Webhook: c.pathID(), SkipToNow: c.input("skip") != ""})
	if err != nil {
		return "", err
	}
	text, command := "Its events are sent, in order.", c.s.o.Command("webhook", "resume", term.Quote(state.Webhook.ID))
	if state.Skipped > 0 {
		command += " --skip-to-now"
		text = term.Plural(state.Skipped, "event was", "events were") + " left out and became dead letters."
	}
	c.session.tell(notice{State: view.State{Class: "ok", Word: "Resumed"}, Calm: true, Text: strings.Join(append([]string{text}, state.Warnings...), " "), Command: command})
	return hookPath(state.Webhook.ID), nil
}

func (c *call) rotate() (string, error) {
	res, err := c.s.o.Service.RotateSecret(c.ctx(), api.RotateSecret{Webhook: c.pathID(), Promote: c.input("promote") != ""})
	if err != nil {
		return "", err
	}
	n := notice{State: view.State{Class: "ok", Word: "A new secret"}, Calm: true, Hook: res.Webhook.ID, Secret: res.Secret, Until: c.clock.Stamp(res.Webhook.RotationUntil)}
	n.Text = "Shown only now. Give it to the receiver, then end the rotation."
	switch res.Result {
	case api.RotationEnded:
		n.State.Word, n.Text = "The rotation has ended", "The secret before is forgotten."
	case api.RotationNoneRan:
		n.State.Word, n.Text = "Nothing to end", "There is one secret."
	}
	n.Text = strings.Join(append([]string{n.Text}, res.Warnings...), " ")
	c.session.tell(n)
	return hookPath(res.Webhook.ID), nil
}

func (c *call) remove() (string, error) {
	res, err := c.s.o.Service.RemoveWebhook(c.ctx(), api.RemoveWebhook{Webhook: c.pathID(), Purge: c.input("purge") != ""})
	if err != nil {
		return "", err
	}
	var text string
	switch {
	case !res.Removed:
		text = "It was removed before."
	case res.Forgotten:
		text = "Its settings are gone, and " + term.Plural(res.Purged, "event it had not received is deleted.", "events it had not received are deleted.")
	case res.DeadLettered > 0:
		text = term.Plural(res.DeadLettered, "event became a dead letter.", "events became dead letters.") + " Bring it back: " + c.s.o.Command("webhook", "add", term.Quote(res.ID))
	default:
		text = "Bring it back: " + c.s.o.Command("webhook", "add", term.Quote(res.ID))
	}
	c.tell("ok", "Removed "+term.Clean(res.ID), strings.Join(append([]string{text}, res.Warnings...), " "))
	return Root, nil
}

// pace is what a form says of how a replay goes about it.
func (c *call) pace() (api.ReplayPace, error) {
	p := api.ReplayPace{KeepGoing: c.input("keep_going") != ""}
	if text := c.input("rate"); text != "" {
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return p, api.Errorf(api.CodeInvalidArguments, "%q is no rate: give deliveries per second, like 20, or 0 for no limit", text)
		}
		p.Rate = &rate
	}
	return p, nil
}

func (c *call) replay() (string, error) {
	sel, err := c.selection(time.Time{})
	if err != nil {
		return "", err
	}
	pace, err := c.pace()
	if err != nil {
		return "", err
	}
	res, err := c.s.o.Service.StartReplay(c.ctx(), api.StartReplay{DeadLetterFilter: sel.filter, All: sel.all, ReplayPace: pace})
	if err != nil {
		return "", err
	}
	c.tellBegun(res)
	return Root + "deadletters", nil
}

func (c *call) tellBegun(res api.StartReplayResult) {
	d := dialog{}
	d.left(res, c)
	for _, run := range res.Busy {
		d.Texts = append(d.Texts, "Another replay to "+view.HostPath(run.URL)+" runs: nothing was begun for it.")
	}
	if res.NotYet {
		d.Texts = append(d.Texts, "Some are on their way to it anyway and were left out.")
	}
	switch {
	case len(d.Texts) > 0 || len(res.Runs) == 0:
		heading := "Not all of them"
		if len(res.Runs) == 0 {
			heading = "Nothing was begun"
		}
		c.tell("warn", heading, strings.Join(d.Texts, " "))
	default:
		c.tell("ok", "The replay has begun", "How far it is stands below.")
	}
}

func (s *Server) stopReplay(c *call) error {
	hook := c.input("webhook")
	if _, err := s.o.Service.StopReplay(c.ctx(), api.StopReplay{Webhook: hook}); err != nil {
		c.tell("warn", "Not stopped", c.said(err))
	} else {
		c.session.tell(notice{State: view.State{Class: "ok", Word: "The replay is stopped"}, Calm: true, Text: "What is in flight ends first.", Command: c.s.o.Command("deadletter", "replay", "--stop", "--url", term.Quote(hook))})
	}
	return c.to(cmp.Or(c.input("back"), Root+"deadletters"))
}

func (c *call) purge() (string, error) {
	sel, err := c.selection(time.Time{})
	if err != nil {
		return "", err
	}
	if len(sel.filter.IDs) == 0 && sel.filter.Until.IsZero() {
		return "", api.Errorf(api.CodeInvalidArguments, "the form does not say which: load it anew")
	}
	plan, err := c.s.o.Service.Purge(c.ctx(), api.PurgeRequest{DeadLetterFilter: sel.filter, All: sel.all, DryRun: true})
	if err != nil {
		return "", err
	}
	if n := plan.Purged; n > manyLetters && typed(c.input("count")) != n {
		return "", api.Errorf(api.CodeInvalidArguments, "type their number, %d, to go on: nothing was deleted", n)
	}
	res, err := c.s.o.Service.Purge(c.ctx(), api.PurgeRequest{DeadLetterFilter: sel.filter, All: sel.all})
	if err != nil {
		return "", err
	}
	c.tell("ok", "Deleted "+term.Plural(res.Purged, "dead letter", "dead letters"), view.Line(res.Note))
	return Root + "deadletters", nil
}

func (c *call) replayEvents() (string, error) {
	pace, err := c.pace()
	if err != nil {
		return "", err
	}
	res, err := c.s.o.Service.ReplayEvents(c.ctx(), api.ReplayEvents{Webhook: c.input("webhook"), IDs: c.r.Form["id"], ReplayPace: pace})
	if err != nil {
		return "", err
	}
	c.tellBegun(res)
	return query(Root+"events", url.Values{}), nil
}

func (c *call) unpair() (string, error) {
	res, err := c.s.o.Service.Unpair(c.ctx(), api.UnpairRequest{})
	if err != nil {
		return "", err
	}
	text := "New messages no longer arrive here."
	if res.Note != "" {
		text = view.Line(res.Note)
	}
	c.tell("ok", "Unlinked", text)
	return Root + "link", nil
}
