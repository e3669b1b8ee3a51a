package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/demo"
	"waoutbox/outbox/api"
)

// TestLinesFitTheTerminal: alarms, what doctor finds and the story of the demo are broken at the
// width of the terminal and set in below their first line; commands and ids stay whole. A program
// gets each line whole. Lines of alarms ran to some 300 columns.
func TestLinesFitTheTerminal(t *testing.T) {
	t.Parallel()
	const width = 80
	alarm := api.Alarm{Code: "webhook_failing", Webhook: "wh_9QRT", Message: "wh_9QRT is failing: its last 20 deliveries became dead letters, the last one with: connection refused. " +
		"New events wait while one at a time is tried. When its endpoint works again, let them go at once with: waoutbox webhook test wh_9QRT"}
	note := "WhatsApp may keep events for this account, and sends them when the link is up again, which takes a while"
	for _, c := range []struct {
		name, hang string
		say        func(e *env)
	}{
		{"an alarm", "      ", func(e *env) { e.alarms([]api.Alarm{alarm}) }},
		{"a note", "           ", func(e *env) {
			e.showStatus(api.Status{Link: api.Link{State: api.LinkConnected, Notes: []string{note}}, Alarms: []api.Alarm{alarm}})
		}},
		{"a finding", strings.Repeat(" ", 21), func(e *env) {
			e.sayFinding(doctorFinding{Check: "alarm", Status: findingProblem, Message: alarm.Message, Mend: "let them go at once, when the endpoint works again, with: waoutbox webhook test wh_9QRT"})
		}},
		{"a step", strings.Repeat(" ", 23), func(e *env) {
			e.demoLine(demo.Line{Word: "delivered", Text: `message.received "hello from Bob"    → shop  200 in 2 ms  signature valid, attempt 4, after 10 s`}, time.Time{})
		}},
	} {
		said := func(width int) string {
			var out bytes.Buffer
			e := newEnv(nil, func(string) string { return "" }, strings.NewReader(""), &out, &out)
			e.loc, e.width = time.UTC, width
			c.say(e)
			return out.String()
		}
		whole, broken := said(0), said(width)
		if strings.Join(strings.Fields(whole), " ") != strings.Join(strings.Fields(broken), " ") || strings.Count(whole, "\n") >= strings.Count(broken, "\n") {
			t.Errorf("%s is %q, and broken %q", c.name, whole, broken)
		}
		if !strings.Contains(broken, "\n"+c.hang) {
			t.Errorf("%s is not set in:\n%s", c.name, broken)
		}
		if strings.Contains(whole, "webhook test") && !strings.Contains(broken, "waoutbox webhook test wh_9QRT") {
			t.Errorf("%s has its command broken:\n%s", c.name, broken)
		}
		for line := range strings.Lines(broken) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > width {
				t.Errorf("%s: %d columns: %s", c.name, n, line)
			}
		}
	}
	row := demo.Line{Text: "dl_wh_3GATNPV6_6   message.received   +491515550111       4   503 Service Unavailable"}
	var out bytes.Buffer
	e := newEnv(nil, func(string) string { return "" }, strings.NewReader(""), &out, &out)
	e.loc, e.width = time.UTC, width
	e.demoLine(row, time.Time{})
	if got := out.String(); !strings.HasSuffix(got, "…\n") || strings.Count(got, "\n") != 1 || len([]rune(got)) > width+1 {
		t.Errorf("a row of a table is %q", got)
	}
}
