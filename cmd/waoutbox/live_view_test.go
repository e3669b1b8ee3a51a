package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// A person sees one line for what arrives and one for each attempt, with nothing in it that the
// terminal would obey, and no line is waited for by those who tell.
func TestLiveView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newLiveView()
		body := []byte(`{"event":"message.received","data":{"messages":[{"key":{"remoteJid":"2@lid","remoteJidAlt":"15550100123@s.whatsapp.net"},"pushName":"Al\u001b[2Jice","message":{"conversation":"hello"}}]}}`)
		arrive := func() {
			v.Appended([]outbox.Event{{Name: "message.received", Time: time.Now(), Body: body}}, 0)
		}
		arrive() // nobody watches yet
		var out bytes.Buffer
		e := newEnv(nil, func(string) string { return "" }, strings.NewReader(""), &out, &out)
		e.loc = time.UTC
		v.on.Store(true)
		arrive()
		for _, a := range []dispatcher.AttemptEnd{
			{Sub: "wh_1", Attempt: 1, Result: dispatcher.Result{Status: 503}, Outcome: dispatcher.OutcomeRetry, Took: 12 * time.Millisecond},
			{Sub: "wh_1", Attempt: 2, Result: dispatcher.Result{Message: "connection refused"}, Outcome: dispatcher.OutcomeDead},
			{Sub: "wh_2", Attempt: 1, Result: dispatcher.Result{Status: 200}, Outcome: dispatcher.OutcomeDelivered},
		} {
			a.Start = time.Now()
			v.Attempted(a)
		}
		for len(v.lines) > 0 {
			e.sayLive(<-v.lines, v.missed.Swap(0))
		}
		want := `00:00:00  message.received   +15550100123 (Al\u001b[2Jice): hello
00:00:00                     → wh_1  attempt 1: 503 in 12 ms
00:00:00                     → wh_1  dead after attempt 2: connection refused in 0 ms
00:00:00                     → wh_2  200 in 0 ms
`
		if got := out.String(); got != want {
			t.Errorf("it shows\n%q\nwant\n%q", got, want)
		}
		for range liveLines + 3 {
			arrive()
		}
		if n := v.missed.Load(); n != 3 {
			t.Errorf("%d lines were missed, want 3", n)
		}
	})
}
