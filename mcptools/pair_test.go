package mcptools

import (
	"bytes"
	"context"
	"encoding/base64"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

func TestQRCode(t *testing.T) {
	f := newFake()
	s := start(t, optionsFor(f))
	s.initialize()
	r := s.call("whatsapp_get_qr_code", `{}`)
	if len(r.Content) != 3 || r.Content[1].Type != "image" || r.Content[1].MIMEType != "image/png" || !slices.Equal(r.Content[1].Annotations.Audience, []string{"user"}) {
		t.Fatalf("content: %+v", r.Content)
	}
	raw, err := base64.StdEncoding.DecodeString(r.Content[1].Data)
	if err != nil {
		t.Fatal(err)
	}
	if img, err := png.Decode(bytes.NewReader(raw)); err != nil || img.Bounds().Dx() < 200 {
		t.Errorf("the image: %v", err)
	}
	for _, part := range []string{"09:01:00 UTC", "waoutbox pair"} {
		if !strings.Contains(r.Content[2].Text, part) || strings.Contains(r.Content[2].Text, "\n") {
			t.Errorf("the line %q does not say %q", r.Content[2].Text, part)
		}
	}
	f.onQR = func(context.Context) (api.PairStep, error) {
		return api.PairStep{}, api.Errorf(api.CodeAlreadyLinked, "Linked as Alice.")
	}
	wantError(t, s.call("whatsapp_get_qr_code", `{}`), "already_linked", false, "Linked as Alice.")
	f.onQR = func(context.Context) (api.PairStep, error) {
		return api.PairStep{Step: api.StepLinked, Account: "1@s.whatsapp.net"}, nil
	}
	wantError(t, s.call("whatsapp_get_qr_code", `{}`), "already_linked", false, "whatsapp_disconnect first")
	f.onQR = func(context.Context) (api.PairStep, error) {
		return api.PairStep{Step: api.StepFailed, Error: api.Retryf(api.CodePairingUnavail, "WhatsApp is unreachable.")}, nil
	}
	wantError(t, s.call("whatsapp_get_qr_code", `{}`), "pairing_unavailable", true, "unreachable")
	f.onQR = func(context.Context) (api.PairStep, error) { return api.PairStep{}, nil }
	wantError(t, s.call("whatsapp_get_qr_code", `{}`), "pairing_unavailable", true)
}

// A code, the passkey that WhatsApp may ask for, a code to compare, and the end: each result
// says what the user does and how the call goes on.
func TestPairingGoesOn(t *testing.T) {
	f := newFake()
	s := start(t, optionsFor(f))
	s.initialize()
	says := func(r result, parts ...string) {
		t.Helper()
		line := r.Content[len(r.Content)-1].Text
		for _, part := range parts {
			if !strings.Contains(line, part) {
				t.Errorf("the line %q does not say %q", line, part)
			}
		}
	}
	f.onQR = func(context.Context) (api.PairStep, error) {
		return api.PairStep{Step: api.StepCode, Phone: "491515550100", Code: "ABCD-1234", ExpiresAt: moment.Add(time.Minute)}, nil
	}
	says(s.call("whatsapp_request_pairing_code", `{"phoneNumber":"+49 151 5550100"}`), "ABCD-1234", "Link with phone number", "09:01:00 UTC")
	f.onQR = func(context.Context) (api.PairStep, error) {
		return api.PairStep{Step: api.StepPasskey, Passkey: &api.PairPasskey{Page: "https://web.whatsapp.com", Script: "run()"}, ExpiresAt: moment}, nil
	}
	says(s.call("whatsapp_get_qr_code", `{}`), "passkeyResponse", "waoutbox pair")
	f.next = api.PairStep{Step: api.StepConfirm, Code: "WXYZ-9876", ExpiresAt: moment}
	says(s.call("whatsapp_get_qr_code", `{"passkeyResponse":"{}"}`), "WXYZ-9876", "codesMatch")
	f.next = api.PairStep{Step: api.StepLinked, Account: "491515550100@s.whatsapp.net"}
	says(s.call("whatsapp_get_qr_code", `{"codesMatch":true}`), "Linked")
	wantError(t, s.call("whatsapp_request_pairing_code", `{"phoneNumber":"+49 151 5550100"}`), "pairing_unavailable", true, "whatsapp_get_qr_code")
	f.unpaired = api.UnpairResult{Account: "491515550100@s.whatsapp.net", Note: "The phone still lists it."}
	says(s.call("whatsapp_disconnect", `{"logout":true}`), "still lists")
}

// A pairing that an agent began ends by it: whatever waits for its code is told, and no code of it
// links anybody.
func TestPairingIsGivenUp(t *testing.T) {
	f := newFake()
	s := start(t, optionsFor(f))
	s.initialize()
	f.next = api.PairStep{Step: api.StepFailed, Error: api.Errorf(api.CodePairingCancelled, "pairing was cancelled")}
	r := s.call("whatsapp_get_qr_code", `{"cancel":true}`)
	if r.IsError || string(r.StructuredContent) != `{"cancelled":true}` || !strings.Contains(r.Content[len(r.Content)-1].Text, "given up") {
		t.Errorf("cancelled: %+v", r)
	}
	if asked := f.recorded(); !slices.Equal(asked, []string{"ContinuePairing passkey= confirm=false cancel=true"}) {
		t.Errorf("asked the service for %q", asked)
	}
	f.next = api.PairStep{Step: api.StepLinked, Account: "491515550100@s.whatsapp.net"}
	wantError(t, s.call("whatsapp_get_qr_code", `{"cancel":"true"}`), "already_linked", false, "whatsapp_disconnect")
	f.recorded()
	wantError(t, s.call("whatsapp_get_qr_code", `{"cancel":true,"codesMatch":true}`), "invalid_arguments", false, `"cancel"`)
	if asked := f.recorded(); len(asked) > 0 {
		t.Errorf("contradicting arguments asked the service for %q", asked)
	}
}
