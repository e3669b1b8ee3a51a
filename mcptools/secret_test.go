package mcptools

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// showsSecret reports whether a text holds secretText, the key it stands for, or one of them
// encoded the way a Go program encodes bytes: in JSON they are base64, which hides a secret from a
// search for its text.
func showsSecret(text string) bool {
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(secretText, "whsec_"))
	if err != nil {
		panic(err)
	}
	for _, secret := range []string{secretText, strings.TrimPrefix(secretText, "whsec_"), string(key)} {
		forms := []string{secret, hex.EncodeToString([]byte(secret))}
		// digits shared with what stands before the secret
		for offset, shared := range []int{0, 2, 3} {
			digits := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + secret))
			forms = append(forms, digits[shared:len(digits)-1])
		}
		for _, form := range forms {
			if strings.Contains(text, form) || strings.Contains(strings.ToUpper(text), strings.ToUpper(form)) && form == forms[1] {
				return true
			}
		}
	}
	return false
}

func TestShowsSecret(t *testing.T) {
	for _, shown := range []string{
		"the secret is " + secretText + ".",
		base64.StdEncoding.EncodeToString([]byte(secretText)),
		base64.StdEncoding.EncodeToString([]byte(`{"secret":"` + secretText + `"}`)),
		base64.StdEncoding.EncodeToString([]byte("?" + secretText + "?")),
		base64.URLEncoding.EncodeToString([]byte("??top-secret??")),
		"[top-secret]", hex.EncodeToString([]byte("top-secret")), strings.ToUpper(hex.EncodeToString([]byte(secretText))),
	} {
		if !showsSecret(shown) {
			t.Errorf("%q passes", shown)
		}
	}
	if showsSecret(`{"signed":true,"secret":"whsec_…"}`) {
		t.Error("a text without it is refused")
	}
}

// Whatever becomes of a call that brings a secret, and of a service that returns one, neither a
// response nor the log has it.
//
// Mutation of register.go: a tool returns the secret, encoded.
// Mutation of register.go: the secret is logged, encoded.
func TestSecretNeverShows(t *testing.T) {
	f := newFake()
	s := start(t, optionsFor(f))
	s.initialize()
	arguments := `{"url":"https://a.example/","secret":"` + secretText + `"}`
	results := []result{}
	for _, put := range []func(context.Context, api.PutWebhook) (api.PutWebhookResult, error){
		nil, // registered
		func(context.Context, api.PutWebhook) (api.PutWebhookResult, error) {
			return api.PutWebhookResult{Result: api.PutCreated, Webhook: api.Webhook{ID: "wh_9", URL: "https://a.example/", Status: api.WebhookActive}, Secret: secretText}, nil
		},
		func(context.Context, api.PutWebhook) (api.PutWebhookResult, error) {
			return api.PutWebhookResult{}, api.Errorf(api.CodeInvalidSecret, "The secret is too short.")
		},
		func(context.Context, api.PutWebhook) (api.PutWebhookResult, error) { panic("no secret here") },
	} {
		f.onPut = put
		results = append(results, s.call("whatsapp_webhook_register", arguments))
	}
	if asked := strings.Count(strings.Join(f.recorded(), "\n"), "secret="+secretText); asked != 4 {
		t.Errorf("%d of 4 secrets came through: nothing was tested", asked)
	}
	for i, failed := range []bool{false, false, true, true} {
		if results[i].IsError != failed {
			t.Errorf("call %d: %s", i, results[i].text())
		}
	}
	for _, bad := range []string{
		`{"url":"https://a.example/","secret":["` + secretText + `"]}`,
		`{"url":"https://a.example/","secret":{"value":"` + secretText + `"}}`,
		`{"url":"nowhere","secret":"` + secretText + `"}`,
		`{"url":"https://a.example/","sekret":"` + secretText + `"}`,
		`{"url":"https://a.example/","secret":"` + strings.Repeat(secretText, 300) + `"}`,
		`["` + secretText + `"]`,
	} {
		if r := s.call("whatsapp_webhook_register", bad); !r.IsError { // call looks for the secret
			t.Errorf("%s passed", bad)
		}
	}
	// Messages that do not reach a tool.
	s.send(strings.TrimSuffix(callLine(900, "whatsapp_webhook_register", arguments), "}"))
	s.send(strings.Replace(callLine(901, "whatsapp_webhook_register", arguments), `"2.0"`, `"1.0"`, 1))
	s.send(`{"jsonrpc":"2.0","id":902,"method":"tools/call","params":["` + secretText + `"]}`)
	for _, id := range []string{"null", "901", "902"} {
		if r := s.response(id); r.Error == nil || showsSecret(r.raw) {
			t.Errorf("%s: %s", id, r.raw)
		}
	}
	if log := s.log.String(); showsSecret(log) || strings.Count(log, "tool=whatsapp_webhook_register") < 10 {
		t.Errorf("logged:\n%s", log)
	}
}
