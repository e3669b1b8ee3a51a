package pairing

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/outbox/api"
)

// What the library reports becomes a code that programs know and a sentence that ends with what to
// do.
func TestErrorsSayWhatToDo(t *testing.T) {
	iq := func(code int) error { return fmt.Errorf("send: %w", &whatsmeow.IQError{Code: code, Text: "x"}) }
	number := "491515550100"
	for _, c := range []struct {
		got  *api.Error
		code api.Code
		next string
	}{
		{codeError(number, whatsmeow.ErrPhoneNumberTooShort), api.CodeInvalidPhone, "give it as in +49"},
		{codeError(number, iq(400)), api.CodeInvalidPhone, "check the number"},
		{codeError(number, iq(429)), api.CodeRateLimited, "wait some hours, or scan"},
		{codeError(number, iq(503)), api.CodePairingUnavail, "try again in a minute"},
		{codeError(number, whatsmeow.ErrIQTimedOut), api.CodeTimeout, "pair again"},
		{codeError(number, errors.New("no socket")), api.CodePairingUnavail, "pair again"},
		{responseError(iq(403)), api.CodePairingUnavail, "once more, or start over: waoutbox pair --cancel, then waoutbox pair"},
		{responseError(context.DeadlineExceeded), api.CodeTimeout, "once more, or start over: waoutbox pair --cancel, then waoutbox pair"},
		{responseError(errors.New("no ref")), api.CodePairingUnavail, "pair again"},
		{confirmError(iq(500)), api.CodePairingUnavail, "pair again"},
		{passkeyError(errors.New("no options")), api.CodePairingUnavail, "update waoutbox"},
		{pairError(&whatsmeow.PairDatabaseError{Message: "save", DBErr: errors.New("database or disk is full")}), api.CodePairingUnavail, "make room"},
		{pairError(whatsmeow.ErrPairInvalidDeviceIdentityHMAC), api.CodePairingUnavail, "use the code on show"},
		{pairError(whatsmeow.ErrPairRejectedLocally), api.CodePairingUnavail, "pair again"},
		{pairError(errors.New("not sent to 491515550100@s.whatsapp.net")), api.CodePairingUnavail, "remove it there; then pair again"},
	} {
		if c.got.Code != c.code || !strings.Contains(c.got.Message, c.next) {
			t.Errorf("%s: %s; want %s with %q", c.got.Code, c.got.Message, c.code, c.next)
		}
	}
	if text := pairError(errors.New("not sent to 491515550100@s.whatsapp.net")).Message; strings.Contains(text, number) {
		t.Errorf("the phone number is in %q", text)
	}
	for _, p := range []phase{phaseCodes, phasePasskey, phasePrimary, phaseConfirm, phaseFinish} {
		if text := disconnected(p).Message; !strings.Contains(text, "pair again") {
			t.Errorf("phase %d: %q", p, text)
		}
	}
}

func TestParsePhone(t *testing.T) {
	for in, want := range map[string]string{
		"+49 151 5550100": "491515550100", "0049 (0) 151 5550100": "491515550100", "+49 (0) 151-555.0100": "491515550100", "15550100123": "15550100123",
		"": "", "0151 5550100": "", "+0151": "", "12345": "", "+49 151 555010O": "", "+4915155501001234567": "", "49+1515550100": "", "⁴9151555": "",
	} {
		got, err := ParsePhone(in)
		if got != want || (err == nil) != (want != "") || err != nil && api.CodeOf(err) != api.CodeInvalidPhone {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

// A response is taken as consoles show it, and refused with a sentence when it is another one's.
func TestPasskeyResponse(t *testing.T) {
	passkey, err := passkeyStep(&types.WebAuthnPublicKey{Challenge: []byte("challenge"), RelyingPartID: "whatsapp.com", Timeout: 600_000})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(passkey.Request); got != `{"challenge":"Y2hhbGxlbmdl","timeout":600000,"rpId":"whatsapp.com"}` {
		t.Errorf("the request is %s", got)
	}
	if strings.Contains(passkey.Script, "\n") || !strings.Contains(passkey.Script, string(passkey.Request)) {
		t.Errorf("the script is %s", passkey.Script)
	}
	response := func(challenge, kind string) string {
		client := fmt.Sprintf(`{"type":%q,"challenge":%q,"origin":"https://web.whatsapp.com"}`, kind, challenge)
		enc := base64.RawURLEncoding.EncodeToString
		return fmt.Sprintf(`{"id":"aWQ","rawId":"aWQ","type":"public-key","response":{"clientDataJSON":%q,"authenticatorData":"YQ","signature":"cw"}}`, enc([]byte(client)))
	}
	right := response("Y2hhbGxlbmdl", "webauthn.get")
	quoted, err := json.Marshal(right)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{right, " " + right + "\n", "'" + right + "'", "`" + right + "`", string(quoted)} {
		if r, err := readResponse(text, passkey.Request); err != nil || string(r.RawID) != "id" || string(r.Response.Signature) != "s" {
			t.Errorf("%s: %+v, %v", text, r, err)
		}
	}
	for text, want := range map[string]string{
		"hello": "begins with {",
		"{}":    "lacks rawId",
		response("Y2hhbGxlbmdl", "webauthn.create"): "no passkey's response to a login",
		response("b3RoZXI", "webauthn.get"):         "earlier request",
	} {
		if _, err := readResponse(text, passkey.Request); api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := passkeyStep(&types.WebAuthnPublicKey{}); err == nil {
		t.Error("a request without a challenge was shown")
	}
}
