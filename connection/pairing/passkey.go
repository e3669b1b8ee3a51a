package pairing

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/outbox/api"
)

// A passkey signs only for the web site it belongs to, so the response has to be made in a browser
// on WhatsApp's own page; what is signed there is a challenge that is good once.

// passkeyPage is where the script runs.
const passkeyPage = "https://web.whatsapp.com"

// passkeyOptions is the request as a browser's PublicKeyCredential.parseRequestOptionsFromJSON
// takes it, which refuses null.
type passkeyOptions struct {
	Challenge        string              `json:"challenge"`
	Timeout          int                 `json:"timeout,omitempty"` // milliseconds
	RPID             string              `json:"rpId,omitempty"`
	AllowCredentials []allowedCredential `json:"allowCredentials,omitempty"`
	UserVerification string              `json:"userVerification,omitempty"`
	Extensions       map[string]any      `json:"extensions,omitempty"`
}

type allowedCredential struct {
	ID         string   `json:"id"`
	Type       string   `json:"type"`
	Transports []string `json:"transports,omitempty"`
}

// passkeyStep is what a person needs to have a browser sign the request.
func passkeyStep(key *types.WebAuthnPublicKey) (*api.PairPasskey, error) {
	o := passkeyOptions{
		Challenge: base64.RawURLEncoding.EncodeToString(key.Challenge), Timeout: key.Timeout, RPID: key.RelyingPartID,
		UserVerification: key.UserVerification, Extensions: key.Extensions,
	}
	for _, c := range key.AllowCredentials {
		o.AllowCredentials = append(o.AllowCredentials, allowedCredential{ID: base64.RawURLEncoding.EncodeToString(c.ID), Type: c.Type, Transports: c.Transports})
	}
	if len(key.Challenge) == 0 {
		return nil, errors.New("the request has no challenge")
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return &api.PairPasskey{Page: passkeyPage, Request: raw, Script: script(raw)}, nil
}

// script is one line of JavaScript for the console of a browser at passkeyPage. Browsers open the
// passkey's dialog only after a click on the page. The response is shown in lines, for a terminal
// takes pasted lines of some hundred characters only.
func script(request []byte) string {
	return `addEventListener("click",async e=>{e.preventDefault();e.stopImmediatePropagation();try{` +
		`const t=document.createElement("textarea");t.rows=30;t.cols=100;t.value=JSON.stringify(await navigator.credentials.get({publicKey:` +
		`PublicKeyCredential.parseRequestOptionsFromJSON(` + string(request) + `)}),null,1);` +
		`document.body.replaceChildren(t);t.select()}catch(x){alert(x)}},{once:true,capture:true});"Now click anywhere on the page."`
}

// readResponse reads what the browser returned for request, and says what is wrong with it before
// WhatsApp, which only refuses, sees it. It takes the quotes that consoles put around text.
func readResponse(copied string, request []byte) (*types.WebAuthnResponse, error) {
	text := bytes.TrimSpace([]byte(copied))
	var quoted string
	if json.Unmarshal(text, &quoted) == nil {
		text = []byte(quoted)
	}
	text = bytes.Trim(text, "'`\" \t\r\n")
	var r types.WebAuthnResponse
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, api.Errorf(api.CodeInvalidArguments, `the passkey's response is not the JSON the browser showed, which begins with { and ends with }: copy all of it`).In("passkey")
	}
	if len(r.RawID) == 0 || len(r.Response.ClientDataJSON) == 0 || len(r.Response.AuthenticatorData) == 0 || len(r.Response.Signature) == 0 {
		return nil, api.Errorf(api.CodeInvalidArguments, "the passkey's response lacks rawId, clientDataJSON, authenticatorData or signature: run the script again and copy all of what it shows").In("passkey")
	}
	var signed struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	var asked passkeyOptions
	if err := json.Unmarshal(r.Response.ClientDataJSON, &signed); err != nil || signed.Type != "webauthn.get" {
		return nil, api.Errorf(api.CodeInvalidArguments, "this is no passkey's response to a login: run the script again and copy all of what it shows").In("passkey")
	}
	if err := json.Unmarshal(request, &asked); err == nil && strings.TrimRight(signed.Challenge, "=") != asked.Challenge {
		return nil, api.Errorf(api.CodeInvalidArguments, "this passkey's response belongs to an earlier request: run the script that is shown now").In("passkey")
	}
	if r.Type == "" {
		r.Type = "public-key"
	}
	if r.ID == "" {
		r.ID = base64.RawURLEncoding.EncodeToString(r.RawID)
	}
	return &r, nil
}
