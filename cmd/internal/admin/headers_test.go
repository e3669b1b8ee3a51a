package admin

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

func TestCheckHeaders(t *testing.T) {
	many := func(n int) map[string]string {
		all := map[string]string{}
		for i := range n {
			all[fmt.Sprintf("X-%02d", i)] = "v"
		}
		return all
	}
	// A name of 2 bytes: 8 KiB exactly, and one more.
	sized := func(n int) map[string]string { return map[string]string{"XY": strings.Repeat("v", n-2)} }
	for name, all := range map[string]map[string]string{
		"none": {}, "twenty": many(20), "8 KiB": sized(8 << 10),
		"usual":             {"Authorization": `Bearer a.b-c_d==`, "Cookie": "a=b; c=d", "X-Api-Key": "k", "x-webhooks": "near", "Webhook": "near", "Proxy": "near"},
		"every letter":      {"AZaz09!#$%&'*+-.^_`|~": "v"},
		"beyond ASCII":      {"X-City": "Köln 東京"},
		"own replay key":    {"X-Idempotency-Key": "k"},
		"content of theirs": {"Content-Language": "de"},
	} {
		if err := checkHeaders(&all); err != nil {
			t.Errorf("%s: refused: %v", name, err)
		}
	}
	if err := checkHeaders(nil); err != nil {
		t.Errorf("not given: %v", err)
	}
	const hush = "hush-token"
	for name, tc := range map[string]struct {
		all   map[string]string
		names string
	}{
		"twenty-one":        {many(21), "the most is 20"},
		"too large":         {sized(8<<10 + 1), "8193 bytes"},
		"too large by name": {map[string]string{strings.Repeat("X", 8<<10): "v"}, "8193 bytes"},
		"no name":           {map[string]string{"": hush}, "no name"},
		"space in a name":   {map[string]string{"Authorization " + hush: "x"}, "' '"},
		"colon in a name":   {map[string]string{"X:": hush}, "':'"},
		"umlaut in a name":  {map[string]string{"Kölner": hush}, "'ö'"},
		"CR in a name":      {map[string]string{"X\r\nY": hush}, `'\r'`},
		"no value":          {map[string]string{"X-A": ""}, "X-A has no value"},
		"only space":        {map[string]string{"X-A": " "}, "white space"},
		"space at the end":  {map[string]string{"X-A": hush + " "}, "white space"},
		"CR":                {map[string]string{"X-A": hush + "\rx"}, "line ends"},
		"LF":                {map[string]string{"X-A": hush + "\nX-B: y"}, "line ends"},
		"NUL":               {map[string]string{"X-A": hush + "\x00x"}, "control"},
		"DEL":               {map[string]string{"X-A": hush + "\x7fx"}, "control"},
		"tab":               {map[string]string{"X-A": hush + "\tx"}, "control"},
		"no UTF-8":          {map[string]string{"X-A": hush + "\xe9x"}, "UTF-8"},
		"twice":             {map[string]string{"X-Api-Key": hush, "x-api-key": hush}, "X-Api-Key and x-api-key"},
	} {
		err := checkHeaders(&tc.all)
		if api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), tc.names) {
			t.Errorf("%s: %v (%s), want invalid_arguments naming %q", name, err, api.CodeOf(err), tc.names)
		}
		if err != nil && strings.Contains(err.Error(), hush) {
			t.Errorf("%s: the value is in the error: %v", name, err)
		}
	}
}

func TestReservedHeadersAreRefusedInAnyCase(t *testing.T) {
	for _, name := range []string{
		"Content-Type", "User-Agent", "X-Webhook-Signature", "X-Webhook-Id", "X-Webhook-Event", "X-Webhook-Attempt", "X-Webhook-Subscription",
		"X-Webhook-Sequence", "X-Webhook-Account", "X-Webhook-Replay", "X-Webhook-Anything", "Idempotency-Key", "webhook-id",
		"webhook-timestamp", "webhook-signature", "webhook-anything", "Content-Length", "Content-Encoding", "Host", "Connection",
		"Transfer-Encoding", "Trailer", "Upgrade", "TE", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Expect", "Accept-Encoding",
	} {
		for _, spelled := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			err := checkHeaders(&map[string]string{spelled: "v"})
			if api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), spelled) {
				t.Errorf("%s: %v", spelled, err)
			}
		}
	}
}

func TestHeadersAreKeptReplacedRemovedAndNotRevived(t *testing.T) {
	r := newRig(t)
	put := func(headers *map[string]string) api.Webhook {
		t.Helper()
		res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", Headers: headers})
		if err != nil {
			t.Fatal(err)
		}
		return res.Webhook
	}
	names := func(w api.Webhook) string { return strings.Join(w.Headers, " ") }
	w := put(&map[string]string{"x-tenant": "blue", "Authorization": "Bearer hush"})
	if names(w) != "Authorization x-tenant" {
		t.Errorf("set: %q", names(w))
	}
	if got := names(put(nil)); got != "Authorization x-tenant" {
		t.Errorf("not given: %q, want them kept", got)
	}
	if _, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: w.URL, Headers: &map[string]string{"Host": "x"}}); api.CodeOf(err) != api.CodeInvalidArguments {
		t.Errorf("a reserved one: %v", err)
	}
	if got := names(put(&map[string]string{"X-Other": "1"})); got != "X-Other" {
		t.Errorf("replaced: %q", got)
	}
	if list, err := r.Webhooks(t.Context()); err != nil || len(list) != 1 || names(list[0]) != "X-Other" {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if got := put(&map[string]string{}); got.Headers != nil {
		t.Errorf("removed: %q", names(got))
	}
	put(&map[string]string{"X-Last": "1"})
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID}); err != nil {
		t.Fatal(err)
	}
	if got := put(nil); got.ID != w.ID || got.Headers != nil {
		t.Errorf("revived: %+v, want no headers", got)
	}
}

func TestHeaderValuesAreSealedForTheirWebhookAndNeverShown(t *testing.T) {
	r := newRig(t)
	var log bytes.Buffer
	r.o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var contexts []string
	seal := r.o.Seal
	r.o.Seal = func(plain []byte, context string) ([]byte, error) {
		contexts = append(contexts, context+" "+string(plain))
		return seal(plain, context)
	}
	res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook", Headers: &map[string]string{"Authorization": "Bearer hush"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := res.Webhook.ID + `/headers {"Authorization":"Bearer hush"}`; len(contexts) != 1 || contexts[0] != want {
		t.Errorf("sealed %q, want %q", contexts, want)
	}
	subs, err := r.box.Subs(t.Context())
	if err != nil || len(subs) != 1 || bytes.Contains(subs[0].Config, []byte("hush")) {
		t.Errorf("the stored configuration holds the value (or is missing): %v", err)
	}
	if shown := fmt.Sprintf("%+v %s", res, log.String()); strings.Contains(shown, "hush") || !strings.Contains(log.String(), "headers=1") {
		t.Errorf("shown or logged: %s", shown)
	}
	// A test sends what every delivery sends.
	cfg, err := outbox.DecodeWebhook(subs[0].Config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.TestWebhook(t.Context(), res.Webhook.ID); err != nil {
		t.Fatal(err)
	}
	if len(r.sender.got) != 1 || len(cfg.Headers) == 0 || !bytes.Equal(r.sender.got[0].Webhook.Headers, cfg.Headers) {
		t.Errorf("the test was sent with %d sealed headers, want %d bytes as stored", len(r.sender.got), len(cfg.Headers))
	}
}
