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

// deadLetter is the part of a `deadletter list --json` line the demo needs.
type deadLetter struct {
	ID       string `json:"id"`
	Attempts int    `json:"attempts"`
}

// steps runs from the first start to the last replay. The times are those of the schedule: the crm
// fails from the first message on, so that message is dead after 0 + 1 + 3 + 10 s; everything after
// it is still being retried when the crm works again.
func (s *setup) steps(ctx context.Context) error {
	if err := s.service.start(ctx); err != nil {
		return err
	}
	if err := s.link(ctx); err != nil {
		return err
	}
	if err := s.register(ctx); err != nil {
		return err
	}
	bob, carol, dave := s.phone.NewContact("Bob", "491515550111"), s.phone.NewContact("Carol", "491515550122"), s.phone.NewContact("Dave", "491515550133")
	team := s.phone.NewGroup("Team", bob, dave)
	s.crm.recv.SetScript(receiver.MustScript("503"), false)

	text := func(c *wasim.Contact, text string) error {
		return s.sendAndShow(ctx, c.Name(), text, func(ctx context.Context) (string, error) { return c.SendText(ctx, text) })
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
	if err := s.sendAndShow(ctx, "Dave in Team", "lunch?", func(ctx context.Context) (string, error) { return dave.SendGroupText(ctx, team, "lunch?") }); err != nil {
		return err
	}
	if err := s.reply(ctx, carol, "yes, come by"); err != nil {
		return err
	}
	if err := s.killAndRestart(ctx, carol, dave); err != nil {
		return err
	}
	if err := text(carol, "thank you"); err != nil {
		return err
	}
	if err := s.awaitDeadLetter(ctx); err != nil {
		return err
	}
	s.show(Line{Word: "mended", Text: "crm works again", Good: true})
	if err := s.awaitSettled(ctx); err != nil {
		return err
	}
	return s.replay(ctx)
}

func (s *setup) link(ctx context.Context) error {
	account, err := s.service.pair(ctx, func(qr string) error { return s.phone.ScanQR(ctx, qr) })
	if err != nil {
		return err
	}
	if err := s.phone.WaitOnline(ctx); err != nil {
		return fmt.Errorf("wait for the linked device: %w", err)
	}
	s.mu.Lock()
	s.linked = true
	s.mu.Unlock()
	user, _, _ := strings.Cut(account, "@")
	s.show(Line{Word: "linked", Text: fmt.Sprintf("+%s (%s) scanned the QR code", user, s.phone.Name()), Good: true})
	return nil
}

// register adds both webhooks, as a person would, with a secret of their own.
func (s *setup) register(ctx context.Context) error {
	for _, e := range []*endpoint{s.shop, s.crm} {
		err := s.service.run(ctx, strings.NewReader(e.secret), nil,
			"webhook", "add", e.recv.URL(), "--event", "message.received", "--event", "message.sent", "--secret-stdin", "--json")
		if err != nil {
			return err
		}
		s.show(Line{Word: "webhook", Text: fmt.Sprintf("%-5s %s  message.received, message.sent", e.name, e.recv.URL())})
	}
	return nil
}

// reply sends a text through the service.
func (s *setup) reply(ctx context.Context, to *wasim.Contact, text string) error {
	var res struct {
		MessageID string `json:"message_id"`
	}
	if err := s.service.json(ctx, &res, "send", "text", to.PN(), text, "--json"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts[res.MessageID] = fmt.Sprintf("to %s: %q", to.Name(), text)
	s.show(Line{Word: "sent", Text: s.texts[res.MessageID]})
	return nil
}

// killAndRestart kills the service while its POSTs are under way, lets contacts write meanwhile,
// and starts it again.
func (s *setup) killAndRestart(ctx context.Context, carol, dave *wasim.Contact) error {
	// slow enough for the kill to hit POSTs in flight
	s.shop.recv.SetLatency(400 * time.Millisecond)
	began := time.Now()
	var sent []message
	for _, next := range []struct {
		who  *wasim.Contact
		text string
	}{{carol, "one more thing"}, {dave, "hi"}, {carol, "can I pay by card?"}} {
		m, err := s.send(ctx, next.who.Name(), next.text, func(ctx context.Context) (string, error) { return next.who.SendText(ctx, next.text) })
		if err != nil {
			return err
		}
		sent = append(sent, m)
	}
	if _, err := s.acknowledged(ctx, sent[0].id); err != nil {
		return err
	}
	if err := s.service.kill(); err != nil {
		return err
	}
	s.show(Line{Word: "killed", Text: fmt.Sprintf("waoutbox was killed with SIGKILL, %s after three messages were sent", ms(time.Since(began)))})
	m, err := s.send(ctx, dave.Name(), "anybody there?", func(ctx context.Context) (string, error) { return dave.SendText(ctx, "anybody there?") })
	if err != nil {
		return err
	}
	sent = append(sent, m)
	s.shop.recv.SetLatency(0)
	again := time.Now()
	if err := s.service.start(ctx); err != nil {
		return err
	}
	if err := s.phone.WaitDrained(ctx); err != nil {
		return fmt.Errorf("wait until everything is acknowledged after the restart: %w", err)
	}
	s.show(Line{Word: "restarted", Text: fmt.Sprintf("and started again: what was not acknowledged came again (%s)", ms(time.Since(again))), Good: true})
	for _, m := range sent {
		if err := s.showArrival(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// awaitDeadLetter waits for the dead letter and shows it. The crm works again from the moment its
// fourth attempt was refused (see newSetup), so everything later is still being retried, however
// slow this machine is.
func (s *setup) awaitDeadLetter(ctx context.Context) error {
	for {
		list, err := s.deadLetters(ctx)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			s.show(Line{Word: "dead", Text: fmt.Sprintf("%s → crm   %d attempts: kept, to be looked at and replayed", column(list[0].ID), list[0].Attempts)})
			return s.command(ctx, "deadletter", "list")
		}
		if err := pause(ctx, 150*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the dead letter: %w", err)
		}
	}
}

// deadLetters lists what is dead.
func (s *setup) deadLetters(ctx context.Context) ([]deadLetter, error) {
	var list []deadLetter
	err := s.service.json(ctx, &list, "deadletter", "list", "--json")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = max(s.dead, len(list))
	return list, err
}

// command shows a command and what it prints, without what it says to run next: who reads that does
// so when the demo has ended, and its state is gone.
func (s *setup) command(ctx context.Context, args ...string) error {
	out, err := s.service.output(ctx, nil, args...)
	if err != nil {
		return err
	}
	s.show(Line{Word: "$", Text: "waoutbox " + strings.Join(args, " "), Good: true})
	for line := range strings.Lines(strings.TrimSpace(out)) {
		if !strings.HasPrefix(line, "Next: ") {
			s.show(Line{Word: "", Text: strings.TrimRight(line, "\n")})
		}
	}
	return nil
}

// awaitSettled waits until nothing is pending any more.
func (s *setup) awaitSettled(ctx context.Context) error {
	for {
		var st struct{ Pending int }
		if err := s.service.json(ctx, &st, "status", "--json"); err != nil {
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
func (s *setup) replay(ctx context.Context) error {
	list, err := s.deadLetters(ctx)
	if err != nil {
		return err
	}
	ids := []string{}
	for _, l := range list {
		ids = append(ids, l.ID)
	}
	s.show(Line{Word: "$", Text: "waoutbox deadletter replay " + strings.Join(ids, " "), Good: true})
	if err := s.service.json(ctx, nil, append([]string{"deadletter", "replay", "--json"}, ids...)...); err != nil {
		return err
	}
	if err := s.crm.recv.WaitFor(ctx, func(c receiver.Counts) bool { return c.Replayed >= len(list) }); err != nil {
		return err
	}
	if err := s.awaitSettled(ctx); err != nil {
		return err
	}
	if list, err = s.deadLetters(ctx); err == nil && len(list) > 0 {
		err = fmt.Errorf("%d dead letters are left after the replay", len(list))
	}
	return err
}
