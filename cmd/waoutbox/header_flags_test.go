package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waoutbox/cmd/internal/config"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

func writeHeaders(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHeadersOfTheCommandLine(t *testing.T) {
	file := writeHeaders(t, "\ufeffAuthorization: Bearer a:b, c\r\n\r\nX-B:2\n")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, `{"url":"u"}`},
		{[]string{"--no-headers"}, `{"url":"u","headers":{}}`},
		{[]string{"--no-headers=false"}, `{"url":"u"}`},
		{[]string{"--header", "X-A: 1, 2", "--header", "X-B:a: b "}, `{"url":"u","headers":{"X-A":"1, 2","X-B":"a: b"}}`},
		{[]string{"--header-file", file}, `{"url":"u","headers":{"Authorization":"Bearer a:b, c","X-B":"2"}}`},
		{[]string{"--header", "X-A: 1", "--header-file", file}, `{"url":"u","headers":{"Authorization":"Bearer a:b, c","X-A":"1","X-B":"2"}}`},
	} {
		f := healthy()
		if res := invoke(t, f, "", append([]string{"webhook", "add", "u"}, tt.args...)...); res.code != exitOK {
			t.Errorf("%q: %+v", tt.args, res)
			continue
		}
		if got, _ := json.Marshal(f.puts[0]); string(got) != tt.want {
			t.Errorf("%q: asked for %s, want %s", tt.args, got, tt.want)
		}
	}
}

func TestHeadersOfTheCommandLineThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		args  []string
		names string
	}{
		"both":             {[]string{"--no-headers", "--header", "X-A: hunter2"}, "choose one"},
		"both, file":       {[]string{"--no-headers", "--header-file", writeHeaders(t, "X-A: hunter2")}, "choose one"},
		"no colon":         {[]string{"--header", "X-A: 1", "--header", "hunter2"}, "--header number 2"},
		"empty":            {[]string{"--header", ""}, "--header number 1"},
		"no UTF-8":         {[]string{"--header", "X-A: hunter2\xe9"}, "UTF-8"},
		"twice":            {[]string{"--header", "X-A: 1", "--header", "x-a: hunter2"}, "--header number 2"},
		"twice, file":      {[]string{"--header", "X-A: 1", "--header-file", writeHeaders(t, "x-a: hunter2")}, "line 1 of"},
		"no colon in file": {[]string{"--header-file", writeHeaders(t, "X-A: 1\n\nhunter2\n")}, "line 3 of"},
		"empty file":       {[]string{"--header-file", writeHeaders(t, "\n")}, "holds no header"},
		"huge file":        {[]string{"--header-file", writeHeaders(t, strings.Repeat("hunter2\n", maxHeaderFile/8+1))}, "no list of headers"},
		"missing file":     {[]string{"--header-file", "/nowhere/headers"}, "cannot be read"},
		"unset variable":   {[]string{"--header-file", ""}, "cannot be read"},
	} {
		f := healthy()
		res := invoke(t, f, "", append([]string{"webhook", "add", "u"}, tt.args...)...)
		if res.code != exitUsage || !strings.Contains(res.err, tt.names) || len(f.puts) != 0 {
			t.Errorf("%s: %+v, want exit 2 naming %q and nothing asked", name, res, tt.names)
		}
		if strings.Contains(res.out+res.err, "hunter2") {
			t.Errorf("%s: the value is printed: %s", name, res.err)
		}
	}
	if res := invoke(t, healthy(), "", "webhook", "add", "u", "--secret-file", ""); res.code != exitUsage {
		t.Errorf("an unset variable as secret file gives an unsigned webhook: %+v", res)
	}
}

// A key lost beside sealed headers, with no secret anywhere: no new key is made, the alarm is up,
// nothing is sent without them.
func TestKeyLostBesideHeaders(t *testing.T) {
	dir, log := filepath.Join(t.TempDir(), "state"), slog.New(slog.DiscardHandler)
	cfg, err := config.Load(filepath.Join(t.TempDir(), "config.json"), nil, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	open := func() *app {
		t.Helper()
		s, err := openApp(t.Context(), dir, cfg, false, log)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	res, err := s.service(nil, nil, mediaParts{}).PutWebhook(t.Context(), api.PutWebhook{URL: "http://127.0.0.1:1/hook", Headers: &map[string]string{"X-A": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	key := s.state.Path(store.KeyFile)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	if a := s.keys.alarms(); len(a) != 1 || a[0].Code != "key_missing" {
		t.Errorf("alarms: %+v", a)
	}
	if _, err := os.Stat(key); err == nil {
		t.Error("a new key was made")
	}
	test, err := s.service(nil, nil, mediaParts{}).TestWebhook(t.Context(), api.TestWebhook{Webhook: res.Webhook.ID})
	if err != nil || test.Class != "local" || !strings.Contains(test.Error, "custom headers") {
		t.Errorf("test: %+v, %v: want it held by us", test, err)
	}
}
