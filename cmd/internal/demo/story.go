package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
)

// deadLetter is the part of a `deadletter list --json` line the story needs.
type deadLetter struct {
	ID       string `json:"id"`
	URL      string `json:"url"`
	Event    string `json:"event"`
	Attempts int    `json:"attempts"`
}

// story runs from the first start to the last replay. The times are those of the schedule: the crm fails from the first message on,
// so that message is dead after 0 + 1 + 3 + 10 s; everything after it is still being retried when the crm works again.
func (w *world) story(ctx context.Context) error {
	if err := w.service.start(ctx); err != nil {
		return err
	}
	if err := w.link(ctx); err != nil {
		return err
	}
	if err := w.register(ctx); err != nil {
		return err
	}
	bob, carol, dave := w.phone.NewContact("Bob", "491515550111"), w.phone.NewContact("Carol", "491515550122"), w.phone.NewContact("Dave", "491515550133")
	team := w.phone.NewGroup("Team", bob, dave)
	w.crm.recv.SetScript(receiver.MustScript("503"), false)

	text := func(c *wasim.Contact, text string) error {
		return w.write(ctx, c.Name(), text, func(ctx context.Context) (string, error) { return c.SendText(ctx, text) })
	}
	if err := text(bob, "hello"); err != nil {
		return err
	}
	if err := pause(ctx, 1500*time.Millisecond); err != nil {
		return err
	}
	if err := errors.Join(text(carol, "is my order ready?"), text(bob, "are you there?")); err != nil {
		return err
	}
	if err := w.write(ctx, "Dave in Team", "lunch?", func(ctx context.Context) (string, error) { return dave.SendGroupText(ctx, team, "lunch?") }); err != nil {
		return err
	}
	if err := w.answer(ctx, carol, "yes, come by"); err != nil {
		return err
	}
	if err := w.crash(ctx, carol, dave); err != nil {
		return err
	}
	if err := text(carol, "thank you"); err != nil {
		return err
	}
	if err := w.awaitDead(ctx); err != nil {
		return err
	}
	w.show(Line{Word: "mended", Text: "crm works again", Good: true})
	if err := w.quiet(ctx); err != nil {
		return err
	}
	return w.replay(ctx)
}

func (w *world) link(ctx context.Context) error {
	account, err := w.service.pair(ctx, func(qr string) error { return w.phone.ScanQR(ctx, qr) })
	if err != nil {
		return err
	}
	if err := w.phone.WaitOnline(ctx); err != nil {
		return fmt.Errorf("wait for the linked device: %w", err)
	}
	w.mu.Lock()
	w.linked = true
	w.mu.Unlock()
	user, _, _ := strings.Cut(account, "@")
	w.show(Line{Word: "linked", Text: fmt.Sprintf("+%s (%s) scanned the QR code", user, w.phone.Name()), Good: true})
	return nil
}

// register adds both webhooks, as a person would, with a secret of their own.
func (w *world) register(ctx context.Context) error {
	for _, e := range []*endpoint{w.shop, w.crm} {
		err := w.service.run(ctx, strings.NewReader(e.secret), nil,
			"webhook", "add", e.recv.URL(), "--event", "message.received", "--event", "message.sent", "--secret-stdin", "--json")
		if err != nil {
			return err
		}
		w.show(Line{Word: "webhook", Text: fmt.Sprintf("%-5s %s  message.received, message.sent", e.name, e.recv.URL())})
	}
	return nil
}

// answer sends a text through the service.
func (w *world) answer(ctx context.Context, to *wasim.Contact, text string) error {
	var res struct {
		MessageID string `json:"message_id"`
	}
	if err := w.service.json(ctx, &res, "send", "text", to.PN(), text, "--json"); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said[res.MessageID] = fmt.Sprintf("to %s: %q", to.Name(), text)
	w.show(Line{Word: "sent", Text: w.said[res.MessageID]})
	return nil
}

// crash kills the service while its POSTs are under way, lets contacts write meanwhile, and starts it again.
func (w *world) crash(ctx context.Context, carol, dave *wasim.Contact) error {
	w.shop.recv.SetLatency(400 * time.Millisecond) // slow enough for the kill to hit POSTs in flight
	began := time.Now()
	var sent []message
	for _, say := range []struct {
		who  *wasim.Contact
		text string
	}{{carol, "one more thing"}, {dave, "hi"}, {carol, "can I pay by card?"}} {
		m, err := w.say(ctx, say.who.Name(), say.text, func(ctx context.Context) (string, error) { return say.who.SendText(ctx, say.text) })
		if err != nil {
			return err
		}
		sent = append(sent, m)
	}
	if _, err := w.acknowledged(ctx, sent[0].id); err != nil {
		return err
	}
	if err := w.service.kill(); err != nil {
		return err
	}
	w.show(Line{Word: "killed", Text: fmt.Sprintf("waoutbox was killed with SIGKILL, %s after three messages were sent", ms(time.Since(began)))})
	m, err := w.say(ctx, dave.Name(), "anybody there?", func(ctx context.Context) (string, error) { return dave.SendText(ctx, "anybody there?") })
	if err != nil {
		return err
	}
	sent = append(sent, m)
	w.shop.recv.SetLatency(0)
	again := time.Now()
	if err := w.service.start(ctx); err != nil {
		return err
	}
	if err := w.phone.WaitDrained(ctx); err != nil {
		return fmt.Errorf("wait until everything is acknowledged after the restart: %w", err)
	}
	w.show(Line{Word: "restarted", Text: fmt.Sprintf("and started again: what was not acknowledged came again (%s)", ms(time.Since(again))), Good: true})
	for _, m := range sent {
		if err := w.told(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// awaitDead waits for the dead letter and shows it. The crm works again from the moment its fourth attempt was refused (see
// newWorld), so everything later is still being retried, however slow this machine is.
func (w *world) awaitDead(ctx context.Context) error {
	for {
		list, err := w.deadLetters(ctx)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			w.show(Line{Word: "dead", Text: fmt.Sprintf("%-34s → crm   %d attempts: kept, to be looked at and replayed", list[0].ID, list[0].Attempts)})
			return w.command(ctx, "deadletter", "list")
		}
		if err := pause(ctx, 150*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the dead letter: %w", err)
		}
	}
}

// deadLetters lists what is dead.
func (w *world) deadLetters(ctx context.Context) ([]deadLetter, error) {
	var list []deadLetter
	err := w.service.json(ctx, &list, "deadletter", "list", "--json")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = max(w.dead, len(list))
	return list, err
}

// command shows a command and what it prints.
func (w *world) command(ctx context.Context, args ...string) error {
	out, err := w.service.output(ctx, nil, args...)
	if err != nil {
		return err
	}
	w.show(Line{Word: "$", Text: "waoutbox " + strings.Join(args, " "), Good: true})
	for line := range strings.Lines(strings.TrimSpace(out)) {
		w.show(Line{Word: "", Text: strings.TrimRight(line, "\n")})
	}
	return nil
}

// quiet waits until nothing is pending any more.
func (w *world) quiet(ctx context.Context) error {
	for {
		var st struct{ Pending int }
		if err := w.service.json(ctx, &st, "status", "--json"); err != nil {
			return err
		}
		if st.Pending == 0 {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the last deliveries: %w", err)
		}
	}
}

// replay delivers the dead letters and checks that nothing is left.
func (w *world) replay(ctx context.Context) error {
	list, err := w.deadLetters(ctx)
	if err != nil {
		return err
	}
	ids := []string{}
	for _, l := range list {
		ids = append(ids, l.ID)
	}
	w.show(Line{Word: "$", Text: "waoutbox deadletter replay " + strings.Join(ids, " "), Good: true})
	if err := w.service.json(ctx, nil, append([]string{"deadletter", "replay", "--json"}, ids...)...); err != nil {
		return err
	}
	if err := w.crm.recv.WaitFor(ctx, func(c receiver.Counts) bool { return c.Replayed >= len(list) }); err != nil {
		return err
	}
	if err := w.quiet(ctx); err != nil {
		return err
	}
	if list, err = w.deadLetters(ctx); err == nil && len(list) > 0 {
		err = fmt.Errorf("%d dead letters are left after the replay", len(list))
	}
	return err
}
