package mcptools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
)

// inBubble runs a subtest under a fake clock.
func inBubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// registered is what a result of whatsapp_webhook_register says.
func registered(t *testing.T, r result) registerOutput {
	t.Helper()
	if r.IsError {
		t.Fatalf("no success: %s", r.text())
	}
	var out registerOutput
	if err := json.Unmarshal(r.StructuredContent, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRegisterPassesTheFilter: what is given goes through, what is left out does not, an empty list
// is no null; and what is stored is shown.
func TestRegisterPassesTheFilter(t *testing.T) {
	f := newFake()
	var got api.PutWebhook
	f.onPut = func(_ context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
		got = in
		return api.PutWebhookResult{Result: api.PutCreated, Webhook: api.Webhook{ID: "wh_9", URL: "https://a.example/", Signed: true, Status: api.WebhookActive,
			Chats: []string{"491515550100@s.whatsapp.net"}, NotChats: []string{"1@g.us", "2@g.us"}, Kinds: []string{"direct"}}}, nil
	}
	s := start(t, optionsFor(f))
	s.initialize()
	out := registered(t, s.call("whatsapp_webhook_register", `{"url":"https://a.example/","chats":["+49 151 5550100"],"notChats":[],"kinds":["direct","group"]}`))
	if fmt.Sprint(*got.Chats, *got.NotChats, *got.Kinds) != "[+49 151 5550100] [] [direct group]" {
		t.Errorf("asked for %+v", got)
	}
	if want := "chats 491515550100@s.whatsapp.net; notChats 1@g.us, 2@g.us; kinds direct"; out.Webhook.Filter != want {
		t.Errorf("the filter is shown as %q, want %q", out.Webhook.Filter, want)
	}
	registered(t, s.call("whatsapp_webhook_register", `{"url":"https://a.example/","kinds":null}`))
	if got.Chats != nil || got.NotChats != nil || got.Kinds != nil {
		t.Errorf("asked for %+v, nothing was given", got)
	}
	r := s.call("whatsapp_webhook_register", `{"url":"https://a.example/","kinds":["groups"]}`)
	wantError(t, r, "invalid_arguments", false, `Unknown kind of chat "groups". Did you mean "group"?`)
}

// What went wrong after the webhook was written stands beside the success.
//
// Mutation of register.go: a warning is swallowed.
func TestRegisterShowsWarnings(t *testing.T) {
	f := newFake()
	f.onPut = func(context.Context, api.PutWebhook) (api.PutWebhookResult, error) {
		return api.PutWebhookResult{
			Result:   api.PutUpdated,
			Webhook:  api.Webhook{ID: "wh_9", URL: "https://a.example/", Events: []string{"*"}, Signed: true, Status: api.WebhookHeld, Reason: "it starts with the service"},
			Warnings: []string{"a.example does not resolve yet", "It was stored, but the service could not be told!"},
		}, nil
	}
	s := start(t, optionsFor(f))
	s.initialize()
	out := registered(t, s.call("whatsapp_webhook_register", `{"url":"https://a.example/"}`))
	if !out.Success || out.Result != registerUpdated {
		t.Errorf("%+v", out)
	}
	for _, part := range []string{"Warning: a.example does not resolve yet.", "Warning: It was stored, but the service could not be told!"} {
		if !strings.Contains(out.Message, part) {
			t.Errorf("the message does not say %q: %s", part, out.Message)
		}
	}
	// It said "Updated wh_9; it is delivering." whatever the state was.
	if strings.Contains(out.Message, "delivering") || !strings.Contains(out.Message, "Updated wh_9; it is held: it starts with the service.") {
		t.Errorf("a held webhook: %s", out.Message)
	}
}

// A removal that was written is a success too, whatever is left to do.
func TestUnregisterShowsWarnings(t *testing.T) {
	f := newFake()
	f.onRemove = func(context.Context, api.RemoveWebhook) (api.RemoveWebhookResult, error) {
		return api.RemoveWebhookResult{Removed: true, ID: "wh_1", URL: "https://a.example/", Warnings: []string{"its backlog is not yet dead letters: remove it once more"}}, nil
	}
	s := start(t, optionsFor(f))
	s.initialize()
	r := s.call("whatsapp_webhook_unregister", `{"url":"wh_1"}`)
	if want := "Removed wh_1. Warning: its backlog is not yet dead letters: remove it once more."; r.IsError || !strings.Contains(r.text(), want) {
		t.Errorf("%s, want %s", r.text(), want)
	}
}

// Counts that could not be read are not shown as if there were none.
func TestUnknownCounts(t *testing.T) {
	f := newFake()
	f.webhooks[0].CountsUnknown = true
	s := start(t, optionsFor(f))
	s.initialize()
	r := s.call("whatsapp_webhook_list", `{}`)
	if len(r.Content) != 2 || !strings.Contains(r.Content[1].Text, "1 of 1 webhooks could not be read") {
		t.Errorf("%+v", r.Content)
	}
}

// A registration that was written is a success, even if nothing more can be learned before the
// call's time is up. It was "timeout: The service did not answer within 30 s. Try again …" for each
// of these.
//
// Mutation of register.go: a registration that was written fails because nothing more could be
// learned.
func TestDoneRegistrationIsNoFailure(t *testing.T) {
	for slow, asked := range map[time.Duration][]string{ // of PutWebhook
		0:                        {"PutWebhook https://a.example/", "Status"},
		29900 * time.Millisecond: {"PutWebhook https://a.example/"}, // too late to ask for more
	} {
		inBubble(t, slow.String(), func(t *testing.T) {
			f := newFake()
			f.onPut = func(context.Context, api.PutWebhook) (api.PutWebhookResult, error) {
				<-time.After(slow)
				return api.PutWebhookResult{Webhook: api.Webhook{ID: "wh_2", URL: "https://a.example/", Status: api.WebhookActive}}, nil
			}
			f.onStatus = func(ctx context.Context) (api.Status, error) {
				<-ctx.Done()
				return api.Status{}, ctx.Err()
			}
			began := time.Now()
			r := invokeTool(t.Context(), New(optionsFor(f)), "whatsapp_webhook_register")
			if text := r.Content[0].(mcp.TextContent).Text; r.IsError || !strings.Contains(text, "Added wh_2") {
				t.Errorf("PutWebhook took %v: %s", slow, text)
			}
			if took := time.Since(began); took > slow+hintWait {
				t.Errorf("PutWebhook took %v, the call %v", slow, took)
			}
			if got := f.recorded(); !slices.Equal(got, asked) {
				t.Errorf("PutWebhook took %v: the service was asked for %q, want %q", slow, got, asked)
			}
		})
	}
}

// A call that is cut off, times out or loses the service asks for its change once: what it began
// goes on or not, but no second webhook comes of it, and the agent is told that it may be there.
//
// Mutation of register.go: a cut call is asked again, and doubles a webhook.
func TestCutCallAsksOnce(t *testing.T) {
	lost := api.Retryf(api.CodeServiceUnavail, "The connection was lost before it answered.")
	for name, c := range map[string]struct {
		fail func(ctx context.Context, cancel context.CancelFunc) error
		say  string
	}{
		"the client cancels": {func(ctx context.Context, cancel context.CancelFunc) error { cancel(); <-ctx.Done(); return ctx.Err() }, "timeout: The call was cancelled"},
		"the time is up":     {func(ctx context.Context, _ context.CancelFunc) error { <-ctx.Done(); return ctx.Err() }, "timeout: The service did not answer within 30 s."},
		"the service ends":   {func(context.Context, context.CancelFunc) error { return lost }, "service_unavailable: The connection was lost"},
		"a panic":            {func(context.Context, context.CancelFunc) error { panic("index out of range") }, "internal: "},
	} {
		inBubble(t, name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := newFake()
			f.onPut = func(ctx context.Context, _ api.PutWebhook) (api.PutWebhookResult, error) {
				return api.PutWebhookResult{}, c.fail(ctx, cancel)
			}
			srv := New(optionsFor(f))
			r := invokeTool(ctx, srv, "whatsapp_webhook_register")
			srv.calls.Wait()
			text := r.Content[0].(mcp.TextContent).Text
			if !r.IsError || !strings.HasPrefix(text, c.say) || !strings.Contains(text, "may be registered all the same") {
				t.Errorf("%s: %s", name, text)
			}
			if asked := f.recorded(); !slices.Equal(asked, []string{"PutWebhook https://a.example/"}) {
				t.Errorf("%s: the service was asked for %q, want one PutWebhook", name, asked)
			}
		})
	}
}

// The words for each outcome, and no word of the secret.
func TestRegisterResults(t *testing.T) {
	f := newFake()
	s := start(t, optionsFor(f))
	s.initialize()
	for put, want := range map[string]string{
		api.PutCreated: "created: Added wh_9: events from now on.",
		api.PutUpdated: "updated: Updated wh_9; it is delivering.",
		api.PutRevived: "created: Added again as wh_9, with its settings from before: events from now on; its dead letters can be replayed.",
	} {
		f.onPut = func(context.Context, api.PutWebhook) (api.PutWebhookResult, error) {
			return api.PutWebhookResult{Result: put, Webhook: api.Webhook{ID: "wh_9", URL: "https://a.example/", Signed: true, Status: api.WebhookActive}, Secret: secretText}, nil
		}
		out := registered(t, s.call("whatsapp_webhook_register", `{"url":"https://a.example/"}`))
		if got := fmt.Sprintf("%s: %s", out.Result, out.Message); got != want {
			t.Errorf("%s: %q, want %q", put, got, want)
		}
	}
}

// A generated secret goes into a file that the result names, and headers come from one: neither
// passes through the model.
//
// Mutation of register.go: a secret that was generated reaches the model.
func TestRegisterKeepsSecretsFromTheModel(t *testing.T) {
	f := newFake()
	var got api.PutWebhook
	f.onPut = func(_ context.Context, in api.PutWebhook) (api.PutWebhookResult, error) {
		got = in
		return api.PutWebhookResult{Result: api.PutCreated, Secret: secretText, Webhook: api.Webhook{ID: "wh_9", URL: in.URL, Signed: true, Status: api.WebhookActive, Headers: []string{"Authorization"}}}, nil
	}
	o := optionsFor(f)
	kept := map[string]string{}
	full := false
	o.KeepSecret = func(webhook, secret string) (string, error) {
		if full {
			return "", fmt.Errorf("no space: %s", "disk")
		}
		kept[webhook] = secret
		return "/state/secrets/" + webhook + ".secret", nil
	}
	o.Headers = func(names []string) (map[string]string, error) {
		if names[0] != "Authorization" {
			return nil, api.Errorf(api.CodeInvalidArguments, "The header %q has no value yet.", names[0])
		}
		return map[string]string{"Authorization": "Bearer " + secretText}, nil
	}
	s := start(t, o)
	s.initialize()
	r := s.call("whatsapp_webhook_register", `{"url":"https://a.example/","generateSecret":true,"headers":["Authorization"]}`)
	out := registered(t, r)
	if !got.GenerateSecret || got.Secret != nil || (*got.Headers)["Authorization"] != "Bearer "+secretText || kept["wh_9"] != secretText {
		t.Errorf("asked for %+v, kept %v", got, kept)
	}
	if out.SecretFile != "/state/secrets/wh_9.secret" || !strings.Contains(out.Message, out.SecretFile) || showsSecret(r.text()) || !slices.Equal(out.Webhook.Headers, []string{"Authorization"}) {
		t.Errorf("%+v", out)
	}
	registered(t, s.call("whatsapp_webhook_register", `{"url":"https://a.example/","headers":[]}`))
	if got.Headers == nil || len(*got.Headers) != 0 || got.GenerateSecret {
		t.Errorf("asked for %+v, want no headers", got)
	}
	registered(t, s.call("whatsapp_webhook_register", `{"url":"https://a.example/"}`))
	if got.Headers != nil {
		t.Errorf("asked for %+v, nothing was given", got)
	}
	f.recorded()
	wantError(t, s.call("whatsapp_webhook_register", `{"url":"https://a.example/","headers":["X-Other"]}`), "invalid_arguments", false, "X-Other")
	if asked := f.recorded(); len(asked) > 0 {
		t.Errorf("a header without a value asked for %q", asked)
	}
	full = true
	if out := registered(t, s.call("whatsapp_webhook_register", `{"url":"https://a.example/","generateSecret":true}`)); out.SecretFile != "" || !strings.Contains(out.Message, "nobody knows it") {
		t.Errorf("%+v", out)
	}
	if log := s.log.String(); showsSecret(log) || !strings.Contains(log, "no space") {
		t.Errorf("logged:\n%s", log)
	}
}
