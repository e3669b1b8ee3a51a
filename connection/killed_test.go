package connection

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/connection/wire"
	"waoutbox/outbox"
	"waoutbox/outbox/outboxtest"
	"waoutbox/store/device"
)

// The moments on a message's way at which a process is killed.
const (
	atDecrypted = "decrypted" // its sessions are in memory
	atPassed    = "passed"    // the next message is read, and this one is in no group yet
	atAppend    = "append"    // a group is taken
	atAppended  = "appended"  // its events are stored; its decryptions are, or not
	atWritten   = "written"   // its decryptions are not committed; its events are stored, or not
	atCommitted = "committed" // its decryptions are
	atStored    = "stored"    // some messages of a group are acknowledged

	onlyAppended  = "appended, and nothing committed"
	onlyCommitted = "committed, and nothing appended"
	appends       = "appends" // what these two count
)

// TestKilledAtEachStepOfAGroup: messages of people and of a group wait at WhatsApp, and the process
// that reads them is killed at each of these moments. Whatever was acknowledged is stored; all are
// stored once in the end, in the order of their chats; and every session goes on.
//
// Mutation of connection/decryptions/changes.go: a decryption is committed without what was
// decrypted.
func TestKilledAtEachStepOfAGroup(t *testing.T) {
	r := newRig(t)
	r.run()
	r.pair()
	w := &writers{r: r, sent: make(map[string][]string)}
	for i := range 3 {
		w.people = append(w.people, r.acc.NewContact(fmt.Sprintf("Person %d", i), fmt.Sprintf("1555010012%d", i)))
	}
	w.team = r.acc.NewGroup("Team", w.people...)
	must(t, r.acc.WaitDrained(bounded(t)))
	r.stop()
	for _, at := range []string{atDecrypted, atPassed, atAppend, atAppended, atWritten, atCommitted, atStored, onlyAppended, onlyCommitted} {
		for _, nth := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s %d", at, nth), func(t *testing.T) { w.killAt(t, fmt.Sprintf("%s:%d", at, nth)) })
		}
	}
}

// writers are who writes to the account.
type writers struct {
	r      *rig
	people []*wasim.Contact
	team   *wasim.Group
	sent   map[string][]string // the ids of each chat
}

// write has everybody write, and all but one to the group as well.
func (w *writers) write(t *testing.T, text string) {
	t.Helper()
	ctx := bounded(t)
	for i, p := range w.people {
		id, err := p.SendText(ctx, text)
		must(t, err)
		w.sent[p.PN()] = append(w.sent[p.PN()], id)
		if i > 0 {
			id, err = p.SendGroupText(ctx, w.team, text)
			must(t, err)
			w.sent[w.team.JID()] = append(w.sent[w.team.JID()], id)
		}
	}
}

func (w *writers) hasSent(id string) bool {
	for _, ids := range w.sent {
		if slices.Contains(ids, id) {
			return true
		}
	}
	return false
}

// killAt lets messages wait, kills the process that reads them at the moment of the plan, and has
// another one read the rest.
func (w *writers) killAt(t *testing.T, plan string) {
	ctx, acc := bounded(t), w.r.acc
	clear(w.sent)
	acc.Hold(true)
	for n := range 8 {
		w.write(t, fmt.Sprintf("text %d", n))
	}
	ledger := filepath.Join(t.TempDir(), "ledger")
	first := startChild(t, w.r, ledger, plan)
	must(t, acc.WaitOnline(ctx))
	acc.Hold(false)
	for n := 8; first.lives(); n++ { // the faster it is the fewer the groups
		_ = acc.WaitDrained(first.whileItLives) // or it has died
		w.write(t, fmt.Sprintf("text %d", n))
	}
	first.died(t)
	stored := readLedger(t, ledger)
	for _, a := range acc.Acked() {
		if w.hasSent(a.ID) && !slices.ContainsFunc(stored, func(ev outbox.Event) bool { return strings.Contains(string(ev.Body), a.ID) }) {
			t.Errorf("%s is acknowledged and not stored", a.ID)
		}
	}
	second := startChild(t, w.r, ledger, "")
	must(t, acc.WaitDrained(ctx))
	w.write(t, "after")
	must(t, acc.WaitDrained(ctx))
	second.kill(t)
	compareLedger(t, readLedger(t, ledger), w.sent)
}

// compareLedger compares what is stored with what was sent in each chat.
func compareLedger(t *testing.T, stored []outbox.Event, sent map[string][]string) {
	t.Helper()
	got := make(map[string][]string)
	seen := make(map[string]bool)
	for _, ev := range stored {
		if ev.Name != translate.MessageReceived || seen[ev.Key] { // the outbox drops what it knows
			continue
		}
		seen[ev.Key] = true
		m := messageIn(t, ev)
		for chat, ids := range sent {
			if slices.Contains(ids, m.Key.ID) {
				if m.Message.Conversation == "" {
					t.Errorf("%s arrived without its text: %s", m.Key.ID, ev.Body)
				}
				got[chat] = append(got[chat], m.Key.ID)
			}
		}
	}
	for chat, ids := range sent {
		if !slices.Equal(got[chat], ids) {
			t.Errorf("in %s stored %d messages %v, sent %d %v", chat, len(got[chat]), got[chat], len(ids), ids)
		}
	}
}

// child is a process with a Client in it.
type child struct {
	cmd          *exec.Cmd
	err          *bytes.Buffer
	whileItLives context.Context
}

const childVariable = "CONNECTION_TEST_CHILD"

func startChild(t *testing.T, r *rig, ledger, plan string) *child {
	t.Helper()
	ctx, ended := context.WithTimeout(context.Background(), limit)
	c := &child{cmd: exec.Command(os.Args[0]), err: &bytes.Buffer{}, whileItLives: ctx}
	c.cmd.Env = append(os.Environ(), childVariable+"="+strings.Join([]string{r.sim.URL(), r.sim.RootKey(), r.path, ledger, plan}, "\n"))
	c.cmd.Stderr = c.err
	must(t, c.cmd.Start())
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = c.cmd.Wait() // "signal: killed" is what is wanted
		ended()
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-over
	})
	return c
}

func (c *child) lives() bool { return c.whileItLives.Err() == nil }

// died checks that the process was killed at its moment.
func (c *child) died(t *testing.T) {
	t.Helper()
	if errors.Is(c.whileItLives.Err(), context.DeadlineExceeded) || !strings.Contains(c.err.String(), "died at") {
		t.Fatalf("the process was not killed: %v, %s", c.whileItLives.Err(), c.err)
	}
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	must(t, c.cmd.Process.Kill())
	<-c.whileItLives.Done()
}

// runChild is the process: a Client that dies at its moment.
func runChild(args string) error {
	part := strings.Split(args, "\n")
	server, err := wire.CheckServer(part[0], part[1])
	if err != nil {
		return err
	}
	dev, err := device.Open(context.Background(), part[2], server.RootKeyHex(), testLog())
	if err != nil {
		return err
	}
	d := &dying{Device: dev, ledger: part[3], blocked: make(chan struct{})}
	if part[4] != "" {
		if _, err := fmt.Sscanf(part[4][strings.LastIndex(part[4], ":")+1:], "%d", &d.nth); err != nil {
			return err
		}
		d.at = part[4][:strings.LastIndex(part[4], ":")]
	}
	c, err := New(Options{Device: d, Appender: d, Sends: outboxtest.NewFake(), Log: testLog(), Route: wire.Route{Server: server}, Version: "0.1.0"})
	if err != nil {
		return err
	}
	c.timings = testTimings()
	pass, committed := c.in.pass, c.in.committed
	c.in.pass = func(n *waBinary.Node) func() {
		inOrder := pass(n)
		if inOrder != nil {
			d.hit(atPassed)
		}
		return inOrder
	}
	c.in.committed = func(n *waBinary.Node) {
		committed(n)
		d.hit(atStored)
	}
	c.in.tr = dyingTranslator{c.in.tr, d}
	return c.Run(context.Background())
}

// dying is the outbox and the device store of a process that dies at its moment.
type dying struct {
	Device
	at     string
	nth    int
	ledger string

	mu    sync.Mutex
	times map[string]int
	armed atomic.Bool // a message has come
	// of onlyAppended and onlyCommitted: closed when one of the two waits for ever
	blocked chan struct{}
}

// hit kills the process when this is the moment.
func (d *dying) hit(at string) {
	if d.count(at) && at == d.at {
		die(at)
	}
}

// count reports whether a moment has come often enough. What is before the first message does not
// count.
func (d *dying) count(at string) bool {
	if !d.armed.Load() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.times == nil {
		d.times = make(map[string]int)
	}
	d.times[at]++
	return d.nth > 0 && d.times[at] >= d.nth
}

func die(at string) {
	fmt.Fprintln(os.Stderr, "died at", at)
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // nothing goes on past this moment
}

// Append writes the events to the ledger.
func (d *dying) Append(_ context.Context, evs ...outbox.Event) ([]outbox.Seq, error) {
	d.hit(atAppend)
	last := d.count(appends)
	if last && d.at == onlyCommitted {
		close(d.blocked)
		select {} // the commit is what dies
	}
	var lines bytes.Buffer
	for _, ev := range evs {
		b, err := json.Marshal(ev)
		if err != nil {
			return nil, err
		}
		lines.Write(append(b, '\n'))
	}
	f, err := os.OpenFile(d.ledger, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(lines.Bytes()) // at once, or a kill would leave a part
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if last && d.at == onlyAppended {
		<-d.blocked
		die(onlyAppended)
	}
	d.hit(atAppended)
	return make([]outbox.Seq, len(evs)), nil
}

// ByKey looks into the ledger.
func (d *dying) ByKey(_ context.Context, key string) (outbox.Seq, error) {
	b, err := os.ReadFile(d.ledger)
	if err != nil || !bytes.Contains(b, []byte(`"`+key+`"`)) {
		return 0, outbox.ErrNotFound
	}
	return 1, nil
}

// last reports whether the append came at which one of the two waits for ever.
func (d *dying) last() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nth > 0 && d.times[appends] >= d.nth
}

func readLedger(t *testing.T, path string) (evs []outbox.Event) {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	must(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var ev outbox.Event
		must(t, json.Unmarshal(lines.Bytes(), &ev))
		evs = append(evs, ev)
	}
	must(t, lines.Err())
	return evs
}

func (d *dying) Current(ctx context.Context) (*store.Device, error) {
	dev, err := d.Device.Current(ctx)
	if err == nil {
		dev.EventBuffer = dyingBuffer{dev.EventBuffer, d}
	}
	return dev, err
}

type dyingBuffer struct {
	store.EventBuffer
	d *dying
}

func (b dyingBuffer) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	err := b.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		err := fn(ctx)
		if b.d.at == onlyAppended && b.d.last() {
			close(b.d.blocked)
			select {} // the append is what dies
		}
		b.d.hit(atWritten)
		return err
	})
	if b.d.at == onlyCommitted {
		select {
		case <-b.d.blocked:
			die(onlyCommitted)
		default:
		}
	}
	b.d.hit(atCommitted)
	return err
}

type dyingTranslator struct {
	translator
	d *dying
}

func (tr dyingTranslator) Translate(ctx context.Context, evt any) ([]outbox.Event, error) {
	if strings.Contains(fmt.Sprintf("%T", evt), "Message") {
		tr.d.armed.Store(true)
		tr.d.hit(atDecrypted)
	}
	return tr.translator.Translate(ctx, evt)
}
