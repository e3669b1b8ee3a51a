package wasim

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/wasim/noise"
)

// The passkey gate: once the phone has scanned the code, or its user has typed
// it, the server has the companion sign a challenge with the account's passkey,
// then phone and companion agree on a key, and the phone links with a secret
// that came under that key. From the client's code; that the real server keeps
// this order, and what it says when it refuses, are guesses.

// passkeyOrigin is where a passkey of WhatsApp's signs.
const (
	passkeyOrigin = "https://web.whatsapp.com"
	passkeyRPID   = "whatsapp.com"
)

// passkey is the one of an account, as its authenticator and the server have it.
type passkey struct {
	id   []byte
	key  *ecdsa.PrivateKey
	user []byte
}

// RequirePasskey has every later linking of this account ask for its passkey,
// which SignPasskey uses.
func (a *Account) RequirePasskey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a passkey: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.passkey = &passkey{id: randomBytes(16), key: key, user: []byte(a.pn.User)}
	return nil
}

func (a *Account) passkeyOf() *passkey {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.passkey
}

// b64 is base64 as WebAuthn's JSON has it.
var b64 = base64.RawURLEncoding

// SignPasskey is what a browser at WhatsApp's page returns for a request, in
// WebAuthn's JSON for both.
func (a *Account) SignPasskey(request []byte) ([]byte, error) {
	k := a.passkeyOf()
	if k == nil {
		return nil, errors.New("sign with the passkey: the account has none")
	}
	var options struct {
		Challenge string `json:"challenge"`
		RPID      string `json:"rpId"`
	}
	if err := json.Unmarshal(request, &options); err != nil {
		return nil, fmt.Errorf("sign with the passkey: %w", err)
	}
	client, err := json.Marshal(map[string]any{"type": "webauthn.get", "challenge": options.Challenge, "origin": passkeyOrigin, "crossOrigin": false})
	if err != nil {
		return nil, err
	}
	rp := sha256.Sum256([]byte(options.RPID))
	data := append(rp[:], 0x05, 0, 0, 0, 1) // user present and verified; counter
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(slices.Concat(data, hash[:]))
	signature, err := ecdsa.SignASN1(rand.Reader, k.key, digest[:])
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"id": b64.EncodeToString(k.id), "rawId": b64.EncodeToString(k.id), "type": "public-key",
		"authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{},
		"response": map[string]any{
			"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(data),
			"signature": b64.EncodeToString(signature), "userHandle": b64.EncodeToString(k.user),
		},
	})
}

// verify checks the response to a challenge.
func (k *passkey) verify(response []byte, challenge string) error {
	var r struct {
		RawID    string `json:"rawId"`
		Response struct {
			ClientDataJSON    string `json:"clientDataJSON"`
			AuthenticatorData string `json:"authenticatorData"`
			Signature         string `json:"signature"`
		} `json:"response"`
	}
	if err := json.Unmarshal(response, &r); err != nil {
		return err
	}
	var parts [4][]byte
	for i, text := range []string{r.RawID, r.Response.ClientDataJSON, r.Response.AuthenticatorData, r.Response.Signature} {
		var err error
		if parts[i], err = b64.DecodeString(text); err != nil {
			return err
		}
	}
	var client struct{ Type, Challenge, Origin string }
	if err := json.Unmarshal(parts[1], &client); err != nil {
		return err
	}
	rp := sha256.Sum256([]byte(passkeyRPID))
	hash := sha256.Sum256(parts[1])
	digest := sha256.Sum256(slices.Concat(parts[2], hash[:]))
	switch {
	case !bytes.Equal(parts[0], k.id):
		return errors.New("another passkey")
	case client.Type != "webauthn.get" || client.Challenge != challenge || client.Origin != passkeyOrigin:
		return errors.New("another challenge, or signed on another page")
	case len(parts[2]) < 37 || !bytes.HasPrefix(parts[2], rp[:]):
		return errors.New("for another site")
	case !ecdsa.VerifyASN1(&k.key.PublicKey, digest[:], parts[3]):
		return errors.New("wrong signature")
	}
	return nil
}

// passkeyIQ is a request of the client in the course of it.
type passkeyIQ struct {
	node  *waBinary.Node
	reply chan waBinary.Node
}

// passkeyTags are the requests that belong to it, in their order.
var passkeyTags = []string{"ref", "passkey_prologue", "companion_nonce", "encrypted_pairing_request"}

// passPasskey takes the client through the gate, if the account has one, and
// returns the secret that authenticates pair-success. secret is that of the code.
func (a *Account) passPasskey(ctx context.Context, c *conn, d *device, secret []byte) ([]byte, error) {
	k := a.passkeyOf()
	if k == nil {
		return secret, nil
	}
	x := passkeyExchange{a: a, c: c, d: d, key: k, challenge: b64.EncodeToString(randomBytes(32)), ref: stanzaID()}
	var err error
	if x.handoff, err = hkdf.Key(sha256.New, secret, nil, "shortcake-passkey-handoff-v1", 32); err != nil {
		return nil, err
	}
	requests := make(chan passkeyIQ)
	c.pairing.setPasskey(requests)
	defer c.pairing.setPasskey(nil)
	options, err := json.Marshal(map[string]any{
		"challenge": x.challenge, "timeout": 600_000, "rpId": passkeyRPID, "userVerification": "required",
		"allowCredentials": []any{map[string]any{"id": b64.EncodeToString(k.id), "type": "public-key"}},
	})
	if err != nil {
		return nil, err
	}
	if err := c.send(a.notification(types.ServerJID, "passkey_prologue_request", waBinary.Node{Tag: "passkey_request_options", Content: options})); err != nil {
		return nil, fmt.Errorf("reach the client: %w", err)
	}
	for {
		select {
		case iq := <-requests:
			reply, after, err := x.serve(iq.node)
			iq.reply <- reply
			if err != nil || x.secret != nil {
				return x.secret, err
			}
			if after != nil {
				if err := c.send(*after); err != nil {
					return nil, fmt.Errorf("reach the client: %w", err)
				}
			}
		case <-c.ctx.Done():
			return nil, errors.New("the client disconnected")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// passkeyExchange is what server and phone know on the way.
type passkeyExchange struct {
	a         *Account
	c         *conn
	d         *device
	key       *passkey
	challenge string
	ref       string
	handoff   []byte // proves that the client is the one whose code was used

	identity   []byte // waCompanionReg.CompanionEphemeralIdentity
	commitment []byte
	companion  waCompanionReg.CompanionEphemeralIdentity
	ephemeral  *ecdh.PrivateKey // the phone's
	nonce      []byte           // the phone's
	secret     []byte
}

// serve handles one request; err ends the linking, after is sent behind the reply.
func (x *passkeyExchange) serve(n *waBinary.Node) (reply waBinary.Node, after *waBinary.Node, err error) {
	content := n.GetChildren()[0]
	switch content.Tag {
	case "ref":
		return iqResult(n, waBinary.Node{Tag: "ref", Content: []byte(x.ref)}), nil, nil
	case "passkey_prologue":
		if code := x.a.srv.pairFaults.passkeys(); code != 0 {
			return iqError(n, code, "refused"), nil, nil
		}
		after, err := x.prologue(content)
		if err != nil {
			return iqError(n, 403, "forbidden"), nil, nil // the client may try again
		}
		return iqResult(n), after, nil
	case "companion_nonce":
		nonce, _ := content.Content.([]byte)
		if sum := sha256.Sum256(slices.Concat(x.identity, nonce)); x.identity == nil || !bytes.Equal(sum[:], x.commitment) {
			return iqError(n, 400, "bad-request"), nil, errors.New("the client's nonce is not the one it committed itself to")
		}
		return iqResult(n), nil, nil
	}
	if x.secret, err = x.open(content); err != nil {
		return iqError(n, 400, "bad-request"), nil, err
	}
	return iqResult(n), nil, nil
}

// prologue checks the passkey's response and makes the phone's half of the key.
func (x *passkeyExchange) prologue(n waBinary.Node) (*waBinary.Node, error) {
	if err := x.key.verify(childBytes(n, "webauthn_assertion"), x.challenge); err != nil {
		return nil, err
	}
	raw := childBytes(n, "prologue_payload")
	mac := hmac.New(sha256.New, x.handoff)
	mac.Write(raw)
	if !hmac.Equal(mac.Sum(nil), childBytes(n, "pairing_handoff_proof")) {
		return nil, errors.New("the client is not the one whose code was used")
	}
	var payload waCompanionReg.ProloguePayload
	if err := proto.Unmarshal(raw, &payload); err != nil {
		return nil, err
	}
	x.identity, x.commitment = payload.GetCompanionEphemeralIdentity(), payload.GetCommitment().GetHash()
	if err := proto.Unmarshal(x.identity, &x.companion); err != nil {
		return nil, err
	}
	if x.companion.GetRef() != x.ref {
		return nil, errors.New("another reference")
	}
	var err error
	if x.ephemeral, err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	x.nonce = randomBytes(32)
	primary, err := proto.Marshal(&waCompanionReg.PrimaryEphemeralIdentity{PublicKey: x.ephemeral.PublicKey().Bytes(), Nonce: x.nonce})
	if err != nil {
		return nil, err
	}
	after := x.a.notification(types.ServerJID, "crsc_continuation", waBinary.Node{Tag: "primary_ephemeral_identity", Content: primary})
	return &after, nil
}

// open reads the secret that the companion sends to the phone.
func (x *passkeyExchange) open(n waBinary.Node) ([]byte, error) {
	if x.ephemeral == nil {
		return nil, errors.New("the client sent its keys before the passkey's response")
	}
	shared, err := agree(x.ephemeral, x.companion.GetPublicKey())
	if err != nil {
		return nil, err
	}
	salt := fmt.Sprintf("Companion Pairing %d with ref %s", x.companion.GetDeviceType(), x.ref)
	key, err := hkdf.Key(sha256.New, shared, []byte(salt), "Pairing Information Encryption Key", 32)
	if err != nil {
		return nil, err
	}
	aead, err := noise.NewGCM(key)
	if err != nil {
		return nil, err
	}
	raw, _ := n.Content.([]byte)
	var sealed waCompanionReg.EncryptedPairingRequest
	if err := proto.Unmarshal(raw, &sealed); err != nil || len(sealed.GetIV()) != aead.NonceSize() {
		return nil, errors.New("the client's pairing request cannot be read")
	}
	plain, err := aead.Open(nil, sealed.GetIV(), sealed.GetEncryptedPayload(), nil)
	if err != nil {
		return nil, errors.New("the client's pairing request is under another key")
	}
	var request waCompanionReg.PairingRequest
	if err := proto.Unmarshal(plain, &request); err != nil {
		return nil, err
	}
	if !bytes.Equal(request.GetCompanionPublicKey(), x.c.Static[:]) || !bytes.Equal(request.GetCompanionIdentityKey(), x.d.identity[:]) || len(request.GetAdvSecret()) != 32 {
		return nil, errors.New("the client's pairing request names other keys")
	}
	return request.GetAdvSecret(), nil
}

// setPasskey has the client's requests of the exchange go to ch, nil to nobody.
func (p *pairing) setPasskey(ch chan passkeyIQ) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passkey = ch
}

// servePasskey replies to a request that belongs to the exchange; false for others.
func (p *pairing) servePasskey(c *conn, n *waBinary.Node) (reply waBinary.Node, ok bool) {
	children := n.GetChildren()
	if len(children) != 1 || !slices.Contains(passkeyTags, children[0].Tag) {
		return reply, false
	}
	p.mu.Lock()
	requests := p.passkey
	p.mu.Unlock()
	if requests == nil {
		return iqError(n, 404, "item-not-found"), true
	}
	iq := passkeyIQ{node: n, reply: make(chan waBinary.Node, 1)}
	select {
	case requests <- iq:
		return <-iq.reply, true
	case <-c.ctx.Done():
		return iqError(n, 404, "item-not-found"), true
	}
}
