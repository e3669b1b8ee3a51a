package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/page"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// paint is the page of a state with dead letters, as a browser asks for it.
type paint struct {
	http *http.Client
	base string
	hook string        // one of its webhooks
	link func() string // to a session
}

// withLetters makes a state of webhooks with so many dead letters each, and opens its page.
func withLetters(b testing.TB, hooks, letters int) *paint {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	cfg, err := config.Defaults()
	if err != nil {
		b.Fatal(err)
	}
	a, err := openApp(context.Background(), filepath.Join(b.TempDir(), "state"), cfg, false, log)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := a.close(); err != nil {
			b.Error(err)
		}
	})
	svc := a.service(nil, &api.Daemon{PID: 1, StartedAt: time.Now()}, mediaParts{})
	p := &paint{}
	for i := range hooks {
		put, err := svc.PutWebhook(b.Context(), api.PutWebhook{URL: fmt.Sprintf("http://127.0.0.1:1/hook/%d", i)})
		if err != nil {
			b.Fatal(err)
		}
		p.hook = put.Webhook.ID
		fillWithDead(b, a, outbox.SubID(p.hook), letters)
	}
	server, err := page.New(page.Options{
		Service: svc, Version: version, Started: time.Now(), Events: catalogNames(), Arrivals: a.arrivals.Counts, Log: log,
		Caller:  func(ctx context.Context, _ string) context.Context { return ctx },
		Command: func(words ...string) string { return strings.Join(words, " ") },
	})
	if err != nil {
		b.Fatal(err)
	}
	web := httptest.NewServer(server)
	b.Cleanup(func() { server.Close(); web.Close() })
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	p.http, p.base, p.link = &http.Client{Jar: jar}, web.URL, func() string { return server.Link(web.URL).URL }
	b.Cleanup(p.http.CloseIdleConnections)
	p.get(b, strings.TrimPrefix(p.link(), web.URL))
	return p
}

// fillWithDead appends events, and has them die of two reasons.
func fillWithDead(b testing.TB, a *app, id outbox.SubID, n int) {
	b.Helper()
	body := []byte(`{"event":"message.received","timestamp":1,"data":{"messages":[{"key":{"remoteJid":"204813927440123@lid"},"pushName":"Bob","message":{"conversation":"` + strings.Repeat("x", 600) + `"}}]}}`)
	for done := 0; done < n; {
		evs := make([]outbox.Event, min(outbox.MaxBatch, n-done))
		for i := range evs {
			done++
			evs[i] = outbox.Event{Key: fmt.Sprintf("evt_%s_%d", id, done), Name: "message.received", Chat: "204813927440123@lid", Time: time.Now(), Body: body}
		}
		seqs, err := a.box.Append(b.Context(), evs...)
		if err != nil {
			b.Fatal(err)
		}
		set := make([]outbox.Record, len(seqs))
		for i, seq := range seqs {
			set[i] = outbox.Record{Seq: seq, State: outbox.Dead, Reason: []string{"timeout", "refused"}[i%2], At: time.Now(), Attempts: 4}
		}
		if err := a.box.Commit(b.Context(), outbox.Change{Sub: id, Next: seqs[len(seqs)-1] + 1, Set: set}); err != nil {
			b.Fatal(err)
		}
	}
}

// get reads a page and returns how long its first byte and the whole of it took.
func (p *paint) get(b testing.TB, path string) time.Duration {
	b.Helper()
	start := time.Now()
	resp, err := p.http.Get(p.base + path)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	var buf [64 << 10]byte
	for err == nil {
		_, err = resp.Body.Read(buf[:])
	}
	if resp.StatusCode != http.StatusOK {
		b.Fatalf("%s: %d", path, resp.StatusCode)
	}
	return time.Since(start)
}

// BenchmarkFirstPaint measures what a browser waits for, with 100,000 dead letters of one webhook,
// and of ten with as many as are still read one by one. The aim is 100 ms. With CHROMIUM, the path
// of a browser, it also says how long that takes until something is painted.
func BenchmarkFirstPaint(b *testing.B) {
	for _, tc := range []struct{ hooks, letters int }{{1, 100_000}, {10, 10_000}} {
		b.Run(fmt.Sprintf("%dx%d", tc.hooks, tc.letters), func(b *testing.B) {
			p := withLetters(b, tc.hooks, tc.letters)
			for _, path := range []string{"", "deadletters", "deadletters?reason=timeout", "webhooks/" + p.hook, "events"} {
				name, _, _ := strings.Cut("page/"+path, "wh_")
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						p.get(b, page.Root+path)
					}
				})
			}
			if chromium := os.Getenv("CHROMIUM"); chromium != "" {
				p.inBrowser(b, chromium)
			}
		})
	}
}

// inBrowser prints how long a real browser takes, with the packages of .ci/page.
func (p *paint) inBrowser(b *testing.B, chromium string) {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), "node", "../../.ci/page/paint.mjs", chromium, p.link(), "9", "", "deadletters", "deadletters?reason=timeout", "webhooks/"+p.hook, "events").CombinedOutput()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	b.Logf("first paint in a browser:\n%s", out)
}
