package wasim

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/wasim/noise"
)

// linkCodeRounds is how often PBKDF2 hashes the eight characters of a code.
const linkCodeRounds = 2 << 16

// codeRequest is an unlinked client's wish to be linked by a code that its user
// types into the phone. Guarded by the server's lock.
type codeRequest struct {
	phone   string // user part of the JID
	wrapped []byte // the client's ephemeral key, encrypted with the code
	ref     []byte
	bundle  chan []byte // what the client sends once the code was typed
}

// linkCode handles <link_code_companion_reg> of an unlinked client.
func (s *Server) linkCode(c *conn, n *waBinary.Node) waBinary.Node {
	reg := n.GetChildByTag("link_code_companion_reg")
	jid, _ := reg.Attrs["jid"].(types.JID)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch attrString(reg, "stage") {
	case "companion_hello":
		wrapped := childBytes(reg, "link_code_pairing_wrapped_companion_ephemeral_pub")
		if len(wrapped) != 80 || !bytes.Equal(childBytes(reg, "companion_server_auth_key_pub"), c.Static[:]) {
			return iqError(n, 400, "bad-request")
		}
		if code := s.pairFaults.codes(); code != 0 {
			return iqError(n, code, "refused")
		}
		c.pairing.code = &codeRequest{phone: jid.User, wrapped: wrapped, ref: []byte(stanzaID()), bundle: make(chan []byte, 1)}
		s.changed.notify()
		return iqResult(n, waBinary.Node{Tag: "link_code_companion_reg", Attrs: waBinary.Attrs{"stage": "companion_hello"}, Content: []waBinary.Node{
			{Tag: "link_code_pairing_ref", Content: c.pairing.code.ref},
		}})
	case "companion_finish":
		code := c.pairing.code
		if code == nil || !bytes.Equal(childBytes(reg, "link_code_pairing_ref"), code.ref) {
			return iqError(n, 404, "item-not-found")
		}
		select {
		case code.bundle <- childBytes(reg, "link_code_pairing_wrapped_key_bundle"):
		default: // sent already
		}
	}
	return iqResult(n)
}

// EnterCode lets the user of the account's phone type the code that an unlinked
// client shows for this account, such as "ABCD-1234". It returns once the
// client has confirmed pair-success; a wrong code is an error, and the client
// can still be linked.
func (a *Account) EnterCode(ctx context.Context, code string) error {
	if err := a.enterCode(ctx, strings.ToUpper(strings.ReplaceAll(code, "-", ""))); err != nil {
		return fmt.Errorf("enter code: %w", err)
	}
	return nil
}

func (a *Account) enterCode(ctx context.Context, code string) error {
	c, request := a.srv.codeClient(a.pn.User)
	if c == nil {
		return errors.New("no connected, unlinked client has asked for a code for this account")
	}
	d, err := a.newCompanion(c)
	if err != nil {
		return err
	}
	ephemeral, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	wrapped, err := crypt(code, randomBytes(48), ephemeral.PublicKey().Bytes())
	if err != nil {
		return err
	}
	if err := c.send(a.notification(types.ServerJID, "link_code_companion_reg", waBinary.Node{
		Tag: "link_code_companion_reg", Attrs: waBinary.Attrs{"stage": "primary_hello"}, Content: []waBinary.Node{
			{Tag: "link_code_pairing_wrapped_primary_ephemeral_pub", Content: wrapped},
			{Tag: "primary_identity_pub", Content: a.phone.identity.Pub[:]},
			{Tag: "link_code_pairing_ref", Content: request.ref},
		},
	})); err != nil {
		return fmt.Errorf("reach the client: %w", err)
	}
	var bundle []byte
	select {
	case bundle = <-request.bundle:
	case <-c.ctx.Done():
		return errors.New("the client disconnected")
	case <-ctx.Done():
		return ctx.Err()
	}
	secret, err := a.linkSecret(request, code, ephemeral, bundle, d)
	if err != nil {
		return err
	}
	if secret, err = a.passPasskey(ctx, c, d, secret); err != nil {
		return err
	}
	if err := a.pair(ctx, c, d, secret); err != nil {
		return err
	}
	a.end(c, "515", "")
	return nil
}

// codeClient finds the unlinked client that asked for a code for a phone.
func (s *Server) codeClient(phone string) (*conn, *codeRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.unlinked {
		if code := c.pairing.code; code != nil && code.phone == phone {
			return c, code
		}
	}
	return nil, nil
}

// linkSecret opens the client's key bundle and derives the secret that
// authenticates pair-success; it fails when the code was wrong.
func (a *Account) linkSecret(r *codeRequest, code string, ephemeral *ecdh.PrivateKey, bundle []byte, d *device) ([]byte, error) {
	opened, err := crypt(code, r.wrapped[:48], r.wrapped[48:])
	if err != nil {
		return nil, err
	}
	shared, err := agree(ephemeral, opened[48:])
	if err != nil {
		return nil, err
	}
	if len(bundle) < 44 {
		return nil, fmt.Errorf("the client's key bundle has %d bytes", len(bundle))
	}
	key, err := hkdf.Key(sha256.New, shared, bundle[:32], "link_code_pairing_key_bundle_encryption_key", 32)
	if err != nil {
		return nil, err
	}
	aead, err := noise.NewGCM(key)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, bundle[32:44], bundle[44:], nil)
	if err != nil || len(plain) != 96 {
		return nil, errors.New("the code is wrong")
	}
	if !bytes.Equal(plain[:32], d.identity[:]) || !bytes.Equal(plain[32:64], a.phone.identity.Pub[:]) {
		return nil, errors.New("the client's key bundle names other identities")
	}
	own, err := ecdh.X25519().NewPrivateKey(a.phone.identity.Priv[:])
	if err != nil {
		return nil, err
	}
	identities, err := agree(own, d.identity[:])
	if err != nil {
		return nil, err
	}
	return hkdf.Key(sha256.New, slices.Concat(shared, identities, plain[64:]), nil, "adv_secret", 32)
}

// crypt encrypts or decrypts a key with a code: salt 32 and iv 16 bytes in
// front, AES-256-CTR. It returns salt, iv and the result.
func crypt(code string, saltIV, key []byte) ([]byte, error) {
	derived, err := pbkdf2.Key(sha256.New, code, saltIV[:32], linkCodeRounds, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(key))
	cipher.NewCTR(block, saltIV[32:48]).XORKeyStream(out, key)
	return slices.Concat(saltIV[:48], out), nil
}

func agree(private *ecdh.PrivateKey, public []byte) ([]byte, error) {
	peer, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	return private.ECDH(peer)
}
