package e2e

import (
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestEventLinesByHand writes the lines that docs/MCP-EVENTS.md has a person write to
// `waoutbox mcp`: the event of a message that somebody sends comes, and then at a receiver that
// agreed to it.
func TestEventLinesByHand(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../../docs/MCP-EVENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	var byHand []string
	for _, block := range regexp.MustCompile("(?s)```jsonl\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		byHand = append(byHand, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	if len(byHand) != 5 {
		t.Fatalf("%d lines, want initialize, stream, cancelled; subscribe, unsubscribe", len(byHand))
	}
	r := newRig(t)
	c := newClientReceiver(t)
	r.mustRun("config", "set", "mcp-webhook-loopback-http", "true")
	r.serve()
	r.pair()
	ctx := r.within(100 * time.Second)
	bob := r.phone.NewContact("Bob", "491515550111")
	write := func(text string) {
		t.Helper()
		if _, err := bob.SendText(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	host := c.Listener.Addr().(*net.TCPAddr).String()
	s := r.tools()
	step := func(line string) eventMessage {
		t.Helper()
		s.send(strings.ReplaceAll(line, "https://HOST/PATH", "http://"+host+"/hook"))
		m := s.next()
		if m.Error != nil {
			t.Fatalf("%s\n%s", line, m.raw)
		}
		return m
	}
	step(byHand[0])
	if m := step(byHand[1]); !strings.HasSuffix(m.Method, "/active") {
		t.Errorf("the stream: %s", m.raw)
	}
	write("one")
	if m := s.next(); m.Params.Data.Preview != "one" {
		t.Errorf("the event: %s", m.raw)
	}
	s.send(byHand[2])
	r.mustRun("webhook", "allow", host+"/hook")
	step(byHand[3])
	write("two")
	r.until("the receiver has the event", func() bool { return len(c.ids()) == 1 })
	step(byHand[4])
}
