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

// world is everything around the service: the phone, its contacts, and two programs that receive webhooks.
type world struct {
	show    func(Line)
	sim     *wasim.Server
	phone   *wasim.Account
	service *service
	shop    *endpoint // works
	crm     *endpoint // fails for a while

	mu     sync.Mutex
	linked bool
	dead   int
	said   map[string]string // text of a message by its id, for the terminal
	held   map[string][]Line // what happened to a message whose arrival is not told yet
}

// endpoint is a receiver with a name and what was seen at it.
type endpoint struct {
	name   string
	secret string
	recv   *receiver.Receiver
	tally  *tally
}

func newWorld(stateDir string, o Options) (*world, error) {
	w := &world{show: o.Show, said: map[string]string{}, held: map[string][]Line{}}
	sim, err := wasim.New(wasim.Options{})
	if err != nil {
		return nil, fmt.Errorf("make the WhatsApp simulator: %w", err)
	}
	if err := sim.Listen("127.0.0.1:0"); err != nil {
		return nil, errors.Join(fmt.Errorf("start the WhatsApp simulator: %w", err), sim.Close())
	}
	w.sim = sim
	w.phone = sim.NewAccount("491515550100", "Alice")
	for _, e := range []struct {
		at   **endpoint
		name string
	}{{&w.shop, "shop"}, {&w.crm, "crm"}} {
		if *e.at, err = w.newEndpoint(e.name); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	w.service = newService(o.Executable, stateDir, "--whatsapp-url", sim.URL(), "--whatsapp-root-key", sim.RootKey())
	return w, nil
}

func (w *world) newEndpoint(name string) (*endpoint, error) {
	var key [24]byte
	rand.Read(key[:]) //nolint:errcheck // never fails (Go 1.24)
	e := &endpoint{name: name, secret: "whsec_" + base64.StdEncoding.EncodeToString(key[:]), tally: newTally()}
	e.recv = receiver.New(receiver.Options{Secret: e.secret, OnDelivery: func(d receiver.Delivery) {
		e.tally.add(d)
		if d.Attempt == lastAttempt && !d.Accepted() {
			e.recv.SetScript(nil, false) // mended, once it has made a dead letter
		}
		w.delivered(e, d)
	}})
	if err := e.recv.Start(); err != nil {
		return nil, fmt.Errorf("start the receiver %s: %w", name, err)
	}
	return e, nil
}

// close ends what runs, the service first.
func (w *world) close() error {
	var errs []error
	if w.service != nil {
		errs = append(errs, w.service.stop())
	}
	for _, e := range []*endpoint{w.shop, w.crm} {
		if e != nil {
			errs = append(errs, e.recv.Close())
		}
	}
	return errors.Join(append(errs, w.sim.Close())...)
}

// message is a text on its way to the service.
type message struct {
	id, what string
	sent     time.Time
}

// write lets a contact (or the phone) send a text, and tells when it was acknowledged: only after it was on disk.
func (w *world) write(ctx context.Context, who, text string, send func(context.Context) (string, error)) error {
	m, err := w.say(ctx, who, text, send)
	if err != nil {
		return err
	}
	return w.told(ctx, m)
}

// say sends a text. What happens to it is held back until told, so that the story goes from cause to effect.
func (w *world) say(ctx context.Context, who, text string, send func(context.Context) (string, error)) (message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := message{what: fmt.Sprintf("%s: %q", who, text), sent: time.Now()}
	var err error
	if m.id, err = send(ctx); err != nil {
		return m, fmt.Errorf("%s writes: %w", who, err)
	}
	w.said[m.id], w.held[m.id] = m.what, []Line{}
	return m, nil
}

// told waits until a message is acknowledged and tells of it and of what happened to it since.
func (w *world) told(ctx context.Context, m message) error {
	at, err := w.acknowledged(ctx, m.id)
	if err != nil {
		return err
	}
	w.release(m.id, Line{At: at, Word: "arrived", Text: fmt.Sprintf("%-34s stored, then WhatsApp was told (%s)", m.what, ms(at.Sub(m.sent)))})
	return nil
}

// release tells first, and then what was held back of the message.
func (w *world) release(id string, first Line) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.show(first)
	for _, l := range w.held[id] {
		w.show(l)
	}
	delete(w.held, id)
}

// acknowledged waits until the simulator counts the message as acknowledged.
func (w *world) acknowledged(ctx context.Context, id string) (time.Time, error) {
	for {
		for _, a := range w.phone.Acked() {
			if a.ID == id && a.Class == "message" {
				return a.At, nil
			}
		}
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return time.Time{}, fmt.Errorf("wait until message %s is acknowledged: %w", id, err)
		}
	}
}

// delivered tells one POST as it comes in.
func (w *world) delivered(e *endpoint, d receiver.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := messageID(d.Body)
	what := w.said[id]
	if what == "" { // its sender has not been told the id yet
		what = fmt.Sprintf("%s %q", d.Event, messageText(d.Body))
	}
	line := Line{At: d.Time, Word: "delivered", Good: true}
	answer := "no answer"
	if d.Status > 0 {
		answer = fmt.Sprint(d.Status)
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
	line.Text = strings.TrimRight(fmt.Sprintf("%-34s → %-5s %s  %s", what, e.name, answer, strings.Join(notes, ", ")), " ")
	if held, waiting := w.held[id]; waiting {
		w.held[id] = append(held, line)
		return
	}
	w.show(line)
}

// lastAttempt of the schedule: what fails then is a dead letter.
const lastAttempt = 4

// waits is the schedule, by attempt, as it is shown.
var waits = [...]string{"", "0 s", "1 s", "3 s", "10 s"}

func ms(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
