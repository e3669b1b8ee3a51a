package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"waoutbox/connection/wasim"
)

// pathRun measures the whole path, from a WhatsApp message to its POST, of the program itself
// against the bare client of the library, which only acknowledges.
type pathRun struct {
	program  string
	messages int // a round and side
	contacts int
}

func pathFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x pathRun
	fs.StringVar(&x.program, "program", "", "the built program (./cmd/waoutbox)")
	fs.IntVar(&x.messages, "messages", 1000, "messages a round and side")
	fs.IntVar(&x.contacts, "contacts", 8, "contacts that write in turns")
	return func(ctx context.Context, b *bench) (report, error) {
		if x.program == "" || x.contacts < 1 || x.contacts > 100 || x.messages < x.contacts || x.messages > 100_000 {
			return report{}, fmt.Errorf("path needs --program, 1 to 100 contacts, and at least as many messages, at most 100000: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

func httpClient(t http.RoundTripper) *http.Client { return &http.Client{Transport: t} }

func (x pathRun) measure(ctx context.Context, b *bench) (_ report, err error) {
	urls, err := b.receivers.open(answerOK)
	if err != nil {
		return report{}, err
	}
	sim, err := startSimulator()
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	whole, stopWhole, err := x.startWhole(ctx, sim, b.newDir(), urls[0])
	if err != nil {
		return report{}, err
	}
	defer stopWhole()
	bareDir := b.newDir()
	if err := os.Mkdir(bareDir, 0o700); err != nil {
		return report{}, err
	}
	alone := sim.NewAccount("491515550200", "Carol")
	stopBare, err := startBare(ctx, sim, alone, bareDir)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, stopBare()) }()

	acked := func() error { return alone.WaitDrained(ctx) }
	posted := func() error { return b.receivers.wait(1, x.messages, time.Hour) }
	sides := []*pathSide{{phone: alone, done: acked}, {phone: whole, done: posted}}
	for i, s := range sides {
		s.write(x.contacts, fmt.Sprintf("49151555%d", 60+i))
		if err := s.warmUp(ctx); err != nil {
			return report{}, err
		}
	}
	for round := range b.rounds {
		for turn := range sides {
			s := sides[(turn+round)%2]
			if err := b.receivers.reset(); err != nil {
				return report{}, err
			}
			if err := s.round(ctx, x.messages); err != nil {
				return report{}, err
			}
		}
		b.progress("round %d: %s messages/s to the POST, %s bare", round+1, number(sides[1].rates[round]), number(sides[0].rates[round]))
	}
	if _, err := b.receivers.take(false); err != nil {
		return report{}, err
	}
	return report{
		Settings: map[string]any{"messages": x.messages, "contacts": x.contacts},
		Rows: []row{
			ratio("11", "WhatsApp message → POST, sustained", "messages/s", sides[1].rates, sides[0].rates, 0.8, 1, false),
		},
		Notes: []string{"the program itself and the library's client alone, each in a process, linked to one simulator; direct texts, queued before the clock starts; until the last POST, and until the last acknowledgement"},
	}, nil
}

// startWhole starts the program with a webhook for received messages, linked with a new phone.
func (x pathRun) startWhole(ctx context.Context, sim *wasim.Server, dir, hook string) (phone *wasim.Account, stop func(), err error) {
	secretFile := filepath.Join(dir, "secret")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(secretFile, []byte(secret), 0o600)); err != nil {
		return nil, nil, err
	}
	p, err := startProgram(ctx, x.program, sim, dir)
	if err != nil {
		return nil, nil, err
	}
	if err := p.addWebhook(ctx, hook, "--event", "message.received", "--secret-file", secretFile); err != nil {
		p.stop()
		return nil, nil, err
	}
	return p.phone, p.stop, nil
}

// pathSide is one of the two that take turns.
type pathSide struct {
	phone   *wasim.Account
	writers []*wasim.Contact
	done    func() error // waits until all messages of a round are through
	rates   series       // messages a second, one a round
}

// write makes the contacts that write; numbers begin with prefix.
func (s *pathSide) write(n int, prefix string) {
	for i := range n {
		s.writers = append(s.writers, s.phone.NewContact(fmt.Sprintf("Writer %d", i), fmt.Sprintf("%s%03d", prefix, i)))
	}
}

// warmUp has each contact write once: the first message makes the session and names the contact.
func (s *pathSide) warmUp(ctx context.Context) error {
	for _, w := range s.writers {
		if _, err := w.SendText(ctx, "first"); err != nil {
			return err
		}
	}
	return s.phone.WaitDrained(ctx)
}

// round queues n messages and takes the time from their release until they are through.
func (s *pathSide) round(ctx context.Context, n int) error {
	s.phone.Hold(true)
	text := strings.Repeat("some words ", 10)
	for i := range n {
		if _, err := s.writers[i%len(s.writers)].SendText(ctx, text); err != nil {
			return err
		}
	}
	began := time.Now()
	s.phone.Hold(false)
	if err := s.done(); err != nil {
		return err
	}
	s.rates = append(s.rates, float64(n)/time.Since(began).Seconds())
	return s.phone.WaitDrained(ctx)
}
