package baileystest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"waoutbox/connection/wasim"
)

// limit bounds every wait; the client takes a few seconds to link.
const limit = 60 * time.Second

// line is what the client prints.
type line struct {
	QR      string   `json:"qr"`
	Open    bool     `json:"open"`
	Close   int      `json:"close"`
	Sent    string   `json:"sent"`
	Done    string   `json:"done"`
	Failed  string   `json:"failed"`
	Name    string   `json:"name"`
	Groups  []string `json:"groups"`
	Message *struct {
		Key    json.RawMessage `json:"key"`
		Text   string          `json:"text"`
		Status int             `json:"status"`
	} `json:"message"`
	Update *struct {
		ID     string `json:"id"`
		Status int    `json:"status"`
	} `json:"update"`
	Receipt *struct {
		ID   string `json:"id"`
		Read bool   `json:"read"`
	} `json:"receipt"`
}

// client is a running client.
type client struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan line
	seen  []line
}

// start runs the client; dir keeps its login.
func start(t *testing.T, node, pkg, url, rootKey, dir string) *client {
	t.Helper()
	cmd := exec.Command(node, "testdata/client.mjs", pkg, url, rootKey, dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	c := &client{t: t, cmd: cmd, in: in, lines: make(chan line, 1024)}
	go func() {
		defer close(c.lines)
		scan := bufio.NewScanner(out)
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			var l line
			if json.Unmarshal(scan.Bytes(), &l) == nil {
				c.lines <- l
			}
		}
	}()
	t.Cleanup(c.stop)
	return c
}

// stop ends the client by closing its standard input. Idempotent.
func (c *client) stop() {
	if c.cmd == nil {
		return
	}
	c.in.Close()
	for range c.lines { // until it has ended
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("the client ended with %v", err)
	}
	c.cmd = nil
}

// wait returns the first line, of those printed too, that ok accepts.
func (c *client) wait(what string, ok func(line) bool) line {
	c.t.Helper()
	for _, l := range c.seen {
		if ok(l) {
			return l
		}
	}
	end := time.After(limit)
	for {
		select {
		case l, open := <-c.lines:
			if !open {
				c.t.Fatalf("the client ended before %s", what)
			}
			if l.Failed != "" {
				c.t.Errorf("the client failed: %s", l.Failed)
			}
			c.seen = append(c.seen, l)
			if ok(l) {
				return l
			}
		case <-end:
			c.t.Fatalf("no %s within %v; the client printed %+v", what, limit, c.seen)
		}
	}
}

// do gives the client a command.
func (c *client) do(name string, args any) {
	c.t.Helper()
	raw, err := json.Marshal(map[string]any{name: args})
	must(c.t, err)
	_, err = c.in.Write(append(raw, '\n'))
	must(c.t, err)
}

// send lets the client write and returns the message's id.
func (c *client) send(to, text string) string {
	c.t.Helper()
	before := len(c.seen)
	c.do("send", map[string]string{"to": to, "text": text})
	var id string
	c.wait("send "+text, func(l line) bool {
		if l.Sent == "" || slices.ContainsFunc(c.seen[:before], func(old line) bool { return old.Sent == l.Sent }) {
			return false
		}
		id = l.Sent
		return true
	})
	return id
}

func (c *client) text(text string) line {
	c.t.Helper()
	return c.wait("message "+text, func(l line) bool { return l.Message != nil && l.Message.Text == text })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestBaileysTalksThroughTheSimulator: an unmodified client that is not the product's library links
// by QR code, reads and writes in a direct chat and in a group, gives and gets receipts, and logs
// in again with what it has stored.
func TestBaileysTalksThroughTheSimulator(t *testing.T) {
	t.Parallel()
	node, pkg, ok := installed(t)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*limit)
	defer cancel()
	s, err := wasim.New(wasim.Options{})
	must(t, err)
	must(t, s.Listen("127.0.0.1:0"))
	t.Cleanup(func() { must(t, s.Close()) })
	a := s.NewAccount("491515550100", "Shop")
	bob, eve := a.NewContact("Bob", "15550100123"), a.NewContact("Eve", "15550100456")
	team := a.NewGroup("Team", bob, eve)
	bob.AutoReceipt("", "read")
	dir := t.TempDir()

	c := start(t, node, pkg, s.URL(), s.RootKey(), dir)
	qr := c.wait("a QR code", func(l line) bool { return l.QR != "" })
	must(t, a.ScanQR(ctx, qr.QR))
	must(t, a.WaitOnline(ctx))
	c.wait("a login", func(l line) bool { return l.Open })

	id, err := bob.SendText(ctx, "from Bob")
	must(t, err)
	got := c.text("from Bob")
	must(t, bob.WaitReceipt(ctx, "inactive", id)) // it shows nobody as online
	c.do("read", map[string]any{"key": got.Message.Key})
	must(t, bob.WaitReceipt(ctx, "read", id))
	_, err = eve.SendGroupText(ctx, team, "from Eve to all")
	must(t, err)
	c.text("from Eve to all")

	sent := c.send(bob.LID(), "to Bob")
	must(t, bob.WaitReceived(ctx, 1))
	if got := bob.Received()[0]; got.ID != sent || got.Text != "to Bob" {
		t.Errorf("Bob received %+v, want %s", got, sent)
	}
	const read = 4 // told beside the message, or in it when the client was still busy with it
	c.wait("the receipt", func(l line) bool {
		return l.Update != nil && l.Update.ID == sent && l.Update.Status == read ||
			l.Message != nil && l.Message.Text == "to Bob" && l.Message.Status == read
	})
	sent = c.send(team.JID(), "to all")
	must(t, bob.WaitReceived(ctx, 2))
	must(t, eve.WaitReceived(ctx, 1))
	if got := eve.Received()[0]; got.ID != sent || got.Text != "to all" || got.Chat != team.JID() {
		t.Errorf("Eve received %+v, want %s", got, sent)
	}
	must(t, a.SetPushName(ctx, "Corner shop"))
	c.wait("the new name", func(l line) bool { return l.Name == "Corner shop" })
	must(t, a.WaitDrained(ctx))
	c.stop()

	_, err = bob.SendText(ctx, "while away")
	must(t, err)
	again := start(t, node, pkg, s.URL(), s.RootKey(), dir)
	again.wait("a second login", func(l line) bool { return l.Open })
	again.text("while away")
	again.send(bob.PN(), "back again")
	must(t, bob.WaitReceived(ctx, 3))
	must(t, a.WaitDrained(ctx))
}
