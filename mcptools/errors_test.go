package mcptools

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
)

func TestErrorsOfTheServicePass(t *testing.T) {
	f := newFake()
	s := start(t, optionsFor(f))
	s.initialize()
	for _, e := range []*api.Error{
		api.Errorf(api.CodeInvalidURL, "No."), api.Errorf(api.CodeInvalidEvents, "No."), api.Errorf(api.CodeInvalidSecret, "No."),
		api.Errorf(api.CodeTooManyWebhooks, "No."), api.Errorf("webhook_host_not_allowed", "No."), api.Retryf(api.CodeRateLimited, "Later."),
		api.Retryf(api.CodeOutboxFull, "Later."),
	} {
		f.onPut = func(context.Context, api.PutWebhook) (api.PutWebhookResult, error) {
			return api.PutWebhookResult{}, fmt.Errorf("put: %w", e)
		}
		r := s.call("whatsapp_webhook_register", `{"url":"https://a.example/"}`)
		wantError(t, r, string(e.Code), e.Retryable, e.Message)
	}
	f.onPut = nil
	wantError(t, s.call("whatsapp_webhook_register", `{"url":"wh_77"}`), "webhook_not_found", false, "whatsapp_webhook_list", "whatsapp_webhook_register")
	wantError(t, s.call("whatsapp_dead_letter_list", `{"cursor":"bad"}`), "invalid_cursor", false, "not one of this list")
}

// A Go error, a panic and an internal error of the service are shown by an id only, and the log has
// the rest.
//
// Mutation of errors.go: go error text reaches the agent.
func TestInternalErrors(t *testing.T) {
	f := newFake()
	s := start(t, optionsFor(f))
	s.initialize()
	for _, fail := range []func() error{
		func() error { return errors.New("open /home/me/outbox.db: goroutine trouble") },
		func() error { return api.Errorf(api.CodeInternal, "json: cannot unmarshal goroutine") },
		func() error { panic("goroutine index out of range") },
	} {
		f.onList = func(context.Context) ([]api.Webhook, error) { return nil, fail() }
		r := s.call("whatsapp_webhook_list", `{}`)
		wantError(t, r, "internal", false)
		id := regexp.MustCompile(`err_[A-Z2-7]{10}`).FindString(r.text())
		if id == "" || strings.Contains(r.text(), "outbox.db") {
			t.Errorf("the text: %s", r.text())
		}
		if log := s.log.String(); !strings.Contains(log, "error_id="+id) || !strings.Contains(log, "goroutine") {
			t.Errorf("the log lacks %s or the cause:\n%s", id, log)
		}
	}
	f.onList = nil
	if r := s.call("whatsapp_webhook_list", `{}`); r.IsError {
		t.Error("the server did not live on:", r.text())
	}
}

// The service is asked for anew at every call, so one that ended between two calls is started again
// instead of failing the second; and each asks under its client's name.
func TestBackendIsOpenedAtEveryCall(t *testing.T) {
	f := newFake()
	opened := 0
	o := optionsFor(f)
	o.Backend = func(_ context.Context, c ClientInfo) (Backend, error) {
		if c.Name != "legacy-client" {
			t.Errorf("opened for %q", c.Name)
		}
		if opened++; opened == 1 {
			return nil, api.Retryf(api.CodeServiceUnavail, "The service does not start: the state is owned by pid 4711. Stop it: waoutbox stop")
		}
		return f, nil
	}
	s := start(t, o)
	s.initialize()
	wantError(t, s.call("whatsapp_webhook_list", `{}`), "service_unavailable", true, "pid 4711")
	for range 2 {
		if r := s.call("whatsapp_webhook_list", `{}`); r.IsError {
			t.Error(r.text())
		}
	}
	if opened != 3 {
		t.Errorf("opened %d times, want 3", opened)
	}
	// The owner dies during a call: the next call starts it.
	f.onList = func(context.Context) ([]api.Webhook, error) {
		return nil, api.Retryf(api.CodeServiceUnavail, "The service went away.")
	}
	wantError(t, s.call("whatsapp_webhook_list", `{}`), "service_unavailable", true, "went away")
	f.onList = nil
	if r := s.call("whatsapp_webhook_list", `{}`); r.IsError || opened != 5 {
		t.Errorf("opened %d times, want 5: %s", opened, r.text())
	}
}

// Whoever does not know whether a message left must not send it twice.
//
// Mutation of messages.go: and by the tool.
func TestSendOfUnknownOutcome(t *testing.T) {
	f := newFake()
	f.onSend = func(context.Context, api.Send) (api.SendResult, error) {
		return api.SendResult{}, api.Retryf(api.CodeServiceUnavail, "The service went away.")
	}
	var down atomic.Bool
	o := optionsFor(f)
	o.Backend = func(context.Context, ClientInfo) (Backend, error) {
		if down.Load() {
			return nil, api.Retryf(api.CodeServiceUnavail, "The service does not start.")
		}
		return f, nil
	}
	s := start(t, o)
	s.initialize()
	wantError(t, s.call("whatsapp_send_text", `{"jid":"1","text":"hi"}`), "service_unavailable", false, "may have been sent all the same")
	wantError(t, s.call("whatsapp_send_text", `{"jid":"1","text":"hi","idempotencyKey":"k"}`), "service_unavailable", true, "same idempotencyKey")
	f.onSend = func(context.Context, api.Send) (api.SendResult, error) {
		return api.SendResult{}, api.Errorf(api.CodeNotOnWhatsApp, "1 is not on WhatsApp.")
	}
	r := s.call("whatsapp_send_text", `{"jid":"1","text":"hi"}`)
	if wantError(t, r, "not_on_whatsapp", false); strings.Contains(r.text(), "may have") {
		t.Error("a refusal is no unknown outcome:", r.text())
	}
	down.Store(true)
	r = s.call("whatsapp_send_text", `{"jid":"1","text":"hi"}`)
	if wantError(t, r, "service_unavailable", true, "does not start"); strings.Contains(r.text(), "may have") {
		t.Error("what was never sent may be sent again:", r.text())
	}
}

// invokeTool runs one tool without a transport, so that synctest can drive its clock.
func invokeTool(ctx context.Context, srv *Server, name string) *mcp.CallToolResult {
	arguments := map[string]string{"whatsapp_webhook_test": `{"url":"wh_1"}`, "whatsapp_send_text": `{"jid":"1","text":"x"}`,
		"whatsapp_webhook_register": `{"url":"https://a.example/"}`}
	i := slices.IndexFunc(srv.tools(), func(t tool) bool { return t.name == name })
	result, _ := srv.handler(srv.tools()[i])(ctx, mcp.CallToolRequest{Params: mcp.CallToolParams{Name: name, RawArguments: []byte(arguments[name])}})
	return result
}

// A call ends even if the Backend ignores its context, after 30 s, or 60 s where
// somebody else's server is asked.
//
// Mutation of call.go: a backend that ignores its context holds a call for ever.
func TestEveryCallIsBounded(t *testing.T) {
	for _, tool := range New(optionsFor(newFake())).tools() {
		if tool.limit != shortCall && tool.limit != longCall {
			t.Errorf("%s has the limit %v", tool.name, tool.limit)
		}
	}
	for tool, limit := range map[string]time.Duration{
		"whatsapp_connection_status": 30 * time.Second, "whatsapp_webhook_list": 30 * time.Second, "whatsapp_get_qr_code": 60 * time.Second,
		"whatsapp_webhook_test": 60 * time.Second, "whatsapp_send_text": 60 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			unresponsive := make(chan struct{})
			f.onStatus = func(context.Context) (api.Status, error) { <-unresponsive; return api.Status{}, nil }
			f.onList = func(context.Context) ([]api.Webhook, error) { <-unresponsive; return nil, nil }
			f.onQR = func(context.Context) (api.PairStep, error) { <-unresponsive; return api.PairStep{}, nil }
			f.onTest = func(context.Context, api.TestWebhook) (api.TestWebhookResult, error) {
				<-unresponsive
				return api.TestWebhookResult{}, nil
			}
			f.onSend = func(context.Context, api.Send) (api.SendResult, error) {
				<-unresponsive
				return api.SendResult{}, nil
			}
			srv := New(optionsFor(f))
			began := time.Now()
			r := invokeTool(t.Context(), srv, tool)
			if took := time.Since(began); took != limit {
				t.Errorf("%s took %v, want %v", tool, took, limit)
			}
			text := r.Content[0].(mcp.TextContent).Text
			if !r.IsError || !strings.HasPrefix(text, fmt.Sprintf("timeout: The service did not answer within %d s", int(limit.Seconds()))) {
				t.Errorf("%s: %s", tool, text)
			}
			srv.waitForCalls() // gives up on the unresponsive one
			if took := time.Since(began); took != limit+lastGrace {
				t.Errorf("%s: the end took %v", tool, took-limit)
			}
			close(unresponsive)
		})
	}
}

// A backend that takes long to open holds up no call longer than that call's own context, and no
// call waits for another's opening.
func TestOpeningIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		o := optionsFor(f)
		o.Backend = func(ctx context.Context, c ClientInfo) (Backend, error) {
			select {
			case <-time.After(5 * time.Second):
				return f, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		srv := New(o)
		began := time.Now()
		results := make(chan *mcp.CallToolResult, 2)
		for range 2 {
			go func() { results <- invokeTool(t.Context(), srv, "whatsapp_webhook_list") }()
		}
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if r := invokeTool(short, srv, "whatsapp_webhook_list"); !r.IsError {
			t.Error("a call outlived its context")
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("the short call took %v", took)
		}
		for range 2 {
			if r := <-results; r.IsError {
				t.Error(r.Content)
			}
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("two calls took %v, one opening takes 5 s", took)
		}
	})
}

// The service's sentences name commands; an agent is told which of its own tools to call, and in a
// read-only session none it lacks.
//
// Mutation of worded.go: it is told to run a command where it has a tool.
func TestErrorsNameTools(t *testing.T) {
	f := newFake()
	f.onSend = func(context.Context, api.Send) (api.SendResult, error) {
		return api.SendResult{}, api.Errorf(api.CodeNotConnected, "no account is linked: link one first with waoutbox pair")
	}
	f.onDeadLetters = func(context.Context, api.DeadLetterQuery) (api.DeadLetterPage, error) {
		return api.DeadLetterPage{}, api.Errorf(api.CodeWebhookNotFound, "no webhook \"wh_7\"")
	}
	s := start(t, optionsFor(f))
	s.initialize()
	wantError(t, s.call("whatsapp_send_text", `{"jid":"1","text":"x"}`), "not_connected", false, "link one first with whatsapp_get_qr_code")
	wantError(t, s.call("whatsapp_dead_letter_list", `{"url":"wh_7"}`), "webhook_not_found", false, "Here: whatsapp_webhook_list shows all; whatsapp_webhook_register")

	o := optionsFor(f)
	o.ReadOnly = true
	srv := New(o)
	if got := srv.inTools("see them with waoutbox webhook list, add one with waoutbox webhook add URL"); got != "see them with whatsapp_webhook_list, add one with waoutbox webhook add URL" {
		t.Errorf("a session that may only read is told: %s", got)
	}
	for code, tool := range map[api.Code]string{
		api.CodeNotFound: "whatsapp_event_list", api.CodeNotWaiting: "whatsapp_get_qr_code",
		api.CodePairingCancelled: "whatsapp_get_qr_code", api.CodePairingUnavail: "whatsapp_get_qr_code",
	} {
		if e := New(optionsFor(f)).advise(*api.Errorf(code, "No.")); !strings.HasPrefix(e.Message, "No. Here: "+tool) {
			t.Errorf("%s: %s", code, e.Message)
		}
	}
	if e := srv.advise(*api.Errorf(api.CodeWebhookNotFound, "No.")); e.Message != "No. Here: whatsapp_webhook_list shows all." {
		t.Error(e.Message)
	}
}
