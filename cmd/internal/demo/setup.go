package demo

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
)

// setup is everything around the service, and the service: the phone, its contacts, and two
// programs that receive webhooks.
type setup struct {
	show    func(Line)
	sim     *wasim.Server
	phone   *wasim.Account
	service *service
	shop    *endpoint // works
	crm     *endpoint // fails for a while

	mu      sync.Mutex
	linked  bool
	dead    int
	texts   map[string]string // text of a message by its id, for the terminal
	unshown map[string][]Line // what happened to a message whose arrival is not shown yet
}

// endpoint is a receiver with a name and what was seen at it.
type endpoint struct {
	name     string
	secret   string
	recv     *receiver.Receiver
	arrivals *arrivals
}

func newSetup(stateDir string, o Options) (*setup, error) {
	s := &setup{show: o.Show, texts: map[string]string{}, unshown: map[string][]Line{}}
	sim, err := wasim.New(wasim.Options{})
	if err != nil {
		return nil, fmt.Errorf("make the WhatsApp simulator: %w", err)
	}
	if err := sim.Listen("127.0.0.1:0"); err != nil {
		return nil, errors.Join(fmt.Errorf("start the WhatsApp simulator: %w", err), sim.Close())
	}
	s.sim = sim
	s.phone = sim.NewAccount("491515550100", "Alice")
	for _, e := range []struct {
		at   **endpoint
		name string
	}{{&s.shop, "shop"}, {&s.crm, "crm"}} {
		if *e.at, err = s.newEndpoint(e.name); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	s.service = newService(o.Executable, stateDir, "--whatsapp-url", sim.URL(), "--whatsapp-root-key", sim.RootKey())
	return s, nil
}

func (s *setup) newEndpoint(name string) (*endpoint, error) {
	var key [24]byte
	rand.Read(key[:]) // never fails
	e := &endpoint{name: name, secret: "whsec_" + base64.StdEncoding.EncodeToString(key[:]), arrivals: newArrivals()}
	e.recv = receiver.New(receiver.Options{Secret: e.secret, OnDelivery: func(d receiver.Delivery) {
		e.arrivals.add(d)
		if d.Attempt == lastAttempt && !d.Accepted() {
			e.recv.SetScript(nil, false) // mended, once it has made a dead letter
		}
		s.showDelivery(e, d)
	}})
	if err := e.recv.Start(); err != nil {
		return nil, fmt.Errorf("start the receiver %s: %w", name, err)
	}
	return e, nil
}

// close ends what runs, the service first.
func (s *setup) close() error {
	var errs []error
	if s.service != nil {
		errs = append(errs, s.service.stop())
	}
	for _, e := range []*endpoint{s.shop, s.crm} {
		if e != nil {
			errs = append(errs, e.recv.Close())
		}
	}
	return errors.Join(append(errs, s.sim.Close())...)
}

// message is a text on its way to the service.
type message struct {
	id, what string
	sent     time.Time
}

// sendAndShow lets a contact (or the phone) send a text, and shows when it was acknowledged: only
// after it was on disk.
func (s *setup) sendAndShow(ctx context.Context, who, text string, send func(context.Context) (string, error)) error {
	m, err := s.send(ctx, who, text, send)
	if err != nil {
		return err
	}
	return s.showArrival(ctx, m)
}

// send sends a text. What happens to it is shown only after its arrival, so that cause precedes
// effect.
func (s *setup) send(ctx context.Context, who, text string, send func(context.Context) (string, error)) (message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := message{what: fmt.Sprintf("%s: %q", who, text), sent: time.Now()}
	var err error
	if m.id, err = send(ctx); err != nil {
		return m, fmt.Errorf("%s writes: %w", who, err)
	}
	s.texts[m.id], s.unshown[m.id] = m.what, []Line{}
	return m, nil
}

// showArrival waits until a message is acknowledged and shows that and what happened to it since.
func (s *setup) showArrival(ctx context.Context, m message) error {
	at, err := s.acknowledged(ctx, m.id)
	if err != nil {
		return err
	}
	s.showAll(m.id, Line{At: at, Word: "arrived", Text: fmt.Sprintf("%s stored, then WhatsApp was told (%s)", column(m.what), ms(at.Sub(m.sent)))})
	return nil
}

// showAll shows first, and then what happened to the message meanwhile.
func (s *setup) showAll(id string, first Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show(first)
	for _, l := range s.unshown[id] {
		s.show(l)
	}
	delete(s.unshown, id)
}

// acknowledged waits until the simulator counts the message as acknowledged.
func (s *setup) acknowledged(ctx context.Context, id string) (time.Time, error) {
	for {
		for _, a := range s.phone.Acked() {
			if a.ID == id && a.Class == "message" {
				return a.At, nil
			}
		}
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return time.Time{}, fmt.Errorf("wait until message %s is acknowledged: %w", id, err)
		}
	}
}

// showDelivery shows one POST as it comes in.
func (s *setup) showDelivery(e *endpoint, d receiver.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := messageID(d.Body)
	what := s.texts[id]
	if what == "" { // its sender has not been told the id yet
		what = fmt.Sprintf("%s %q", d.Event, messageText(d.Body))
	}
	line := Line{At: d.Time, Word: "delivered", Good: true}
	status := "no answer"
	if d.Status > 0 {
		status = fmt.Sprint(d.Status)
	}
	notes := []string{}
	switch {
	case d.Duplicate:
		line.Word = "repeated"
		notes = append(notes, "same id: a receiver drops it")
	case d.Replay > 0 && d.Accepted():
		line.Word = "replayed"
		notes = append(notes, "same event id, same bytes")
	case !d.Accepted():
		line.Word, line.Good = fmt.Sprintf("attempt %d", d.Attempt), false
		if d.Attempt > 1 {
			notes = append(notes, "after "+waits[min(d.Attempt, len(waits)-1)])
		}
	case d.Attempt > 1:
		notes = append(notes, fmt.Sprintf("attempt %d, after %s", d.Attempt, waits[min(d.Attempt, len(waits)-1)]))
	}
	if d.Accepted() {
		notes = append(notes, "signature "+string(d.Signature))
	}
	line.Text = strings.TrimRight(fmt.Sprintf("%s → %-5s %s  %s", column(what), e.name, status, strings.Join(notes, ", ")), " ")
	if lines, waiting := s.unshown[id]; waiting {
		s.unshown[id] = append(lines, line)
		return
	}
	s.show(line)
}

// column is what a line is about, in the width of the longest of the story: what became of it
// stands beside it also on a terminal of 80 columns.
func column(what string) string { return fmt.Sprintf("%-27s", what) }

// lastAttempt of the schedule: a delivery that fails then is a dead letter.
const lastAttempt = 4

// waits is the schedule, by attempt, as it is shown.
var waits = [...]string{"", "0 s", "1 s", "3 s", "10 s"}

func ms(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
