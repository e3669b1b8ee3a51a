package wasim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mau.fi/libsignal/ecc"
	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/wasim/noise"
)

// qrRefs is how many QR codes an unlinked client gets to show in turn.
const qrRefs = 6

// pairing is an unlinked client waiting for its QR code to be scanned.
type pairing struct {
	refs []string
	code *codeRequest // guarded by the server's lock

	mu      sync.Mutex
	passkey chan passkeyIQ // nil while nobody asks for one
}

// serveUnlinked offers QR references and then serves what little an unlinked
// client asks. It returns when the connection ends.
func (s *Server) serveUnlinked(c *conn) {
	s.mu.Lock()
	refuse := s.refuse
	s.mu.Unlock()
	if refuse != 0 {
		s.fail(c, refuse, nil)
		return
	}
	if !validRegistration(c.Payload.GetDevicePairingData()) {
		s.log.Warn("unlinked client refused: its registration is incomplete")
		s.fail(c, 400, nil)
		return
	}
	refs := make([]waBinary.Node, qrRefs)
	c.pairing = &pairing{}
	for i := range refs {
		ref := "2@" + base64.StdEncoding.EncodeToString(randomBytes(48))
		c.pairing.refs = append(c.pairing.refs, ref)
		refs[i] = waBinary.Node{Tag: "ref", Content: []byte(ref)}
	}
	s.track(c, true)
	defer s.track(c, false)
	if err := c.send(iqSet("md", waBinary.Node{Tag: "pair-device", Content: refs})); err != nil {
		return
	}
	for {
		n, err := c.receive()
		if err != nil {
			return
		}
		if n.Tag != "iq" || c.takeReply(n) {
			continue
		}
		if kind := n.AttrGetter().OptionalString("type"); kind == "get" || kind == "set" {
			reply, taken := c.pairing.servePasskey(c, n)
			if !taken {
				reply = iqResult(n)
			}
			if _, ok := n.GetOptionalChildByTag("link_code_companion_reg"); ok {
				reply = s.linkCode(c, n)
			}
			if err := c.send(reply); err != nil {
				return
			}
		}
	}
}

// track notes an unlinked client that can be scanned, or forgets it.
func (s *Server) track(c *conn, present bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if present {
		s.unlinked[c] = struct{}{}
	} else {
		delete(s.unlinked, c)
	}
	s.changed.notify()
}

// qrCode is what a QR text tells the phone.
type qrCode struct {
	ref                        string
	noise, identity, advSecret []byte
}

func parseQR(text string) (qrCode, error) {
	if _, after, ok := strings.Cut(text, "#"); ok {
		text = after
	}
	parts := strings.Split(text, ",")
	if len(parts) < 4 {
		return qrCode{}, fmt.Errorf("QR text has %d parts, not 4 or 5: ref, noise key, identity key, secret, client type", len(parts))
	}
	q := qrCode{ref: parts[0]}
	for i, into := range []*[]byte{&q.noise, &q.identity, &q.advSecret} {
		raw, err := base64.StdEncoding.DecodeString(parts[i+1])
		if err != nil || len(raw) != 32 {
			return qrCode{}, fmt.Errorf("part %d of the QR text is not the base64 of 32 bytes", i+2)
		}
		*into = raw
	}
	return q, nil
}

// ScanQR lets the account's phone scan the QR text of an unlinked client that
// is connected now. It returns once the client has confirmed pair-success with a
// valid signature; the client then logs in by itself (WaitOnline).
func (a *Account) ScanQR(ctx context.Context, qr string) error {
	q, err := parseQR(qr)
	if err != nil {
		return fmt.Errorf("scan QR: %w", err)
	}
	c := a.srv.unlinkedClient(q)
	if c == nil {
		return errors.New("scan QR: no connected, unlinked client shows this code; take a fresh one")
	}
	d, err := a.newCompanion(c)
	if err != nil {
		return fmt.Errorf("scan QR: %w", err)
	}
	secret, err := a.passPasskey(ctx, c, d, q.advSecret)
	if err != nil {
		return fmt.Errorf("scan QR: %w", err)
	}
	if err := a.pair(ctx, c, d, secret); err != nil {
		return fmt.Errorf("scan QR: %w", err)
	}
	a.end(c, "515", "")
	return nil
}

// newCompanion gives an unlinked client its device number, if the account has
// no companion yet.
func (a *Account) newCompanion(c *conn) (*device, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.device != nil {
		return nil, ErrAlreadyLinked
	}
	a.devices++
	return newDevice(a, a.devices, c.Client), nil
}

func (s *Server) unlinkedClient(q qrCode) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.unlinked {
		if bytes.Equal(c.Static[:], q.noise) && slices.Contains(c.pairing.refs, q.ref) &&
			bytes.Equal(c.Payload.GetDevicePairingData().GetEIdent(), q.identity) {
			return c
		}
	}
	return nil
}

// pair signs the companion's identity, sends it and checks the countersignature.
func (a *Account) pair(ctx context.Context, c *conn, d *device, secret []byte) error {
	account := a.phone.identity
	details, err := proto.Marshal(&waAdv.ADVDeviceIdentity{
		RawID: proto.Uint32(uint32(d.pn.Device)), Timestamp: proto.Uint64(uint64(unix(time.Now()))),
		KeyIndex: proto.Uint32(uint32(d.pn.Device)), AccountType: waAdv.ADVEncryptionType_E2EE.Enum(), DeviceType: waAdv.ADVEncryptionType_E2EE.Enum(),
	})
	if err != nil {
		return err
	}
	signed, err := proto.Marshal(&waAdv.ADVSignedDeviceIdentity{
		Details: details, AccountSignatureKey: account.Pub[:],
		AccountSignature: noise.Sign(account, slices.Concat(whatsmeow.AdvAccountSignaturePrefix, details, d.identity[:])),
	})
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(signed)
	sealed, err := proto.Marshal(&waAdv.ADVSignedDeviceIdentityHMAC{Details: signed, HMAC: mac.Sum(nil)})
	if err != nil {
		return err
	}
	request := iqSet("md", waBinary.Node{Tag: "pair-success", Content: []waBinary.Node{
		{Tag: "device-identity", Content: sealed},
		{Tag: "biz", Attrs: waBinary.Attrs{"name": ""}},
		{Tag: "device", Attrs: waBinary.Attrs{"jid": d.pn, "lid": d.lid}},
		{Tag: "platform", Attrs: waBinary.Attrs{"name": "android"}},
	}})
	request.Attrs["t"] = unix(time.Now())
	// The client logs in as soon as it has replied: know it before it can.
	a.setDevice(d)
	reply, err := c.ask(ctx, request)
	if err == nil {
		err = verifyCountersignature(reply, d, details, account.Pub[:])
	}
	if err != nil {
		a.mu.Lock()
		if a.device == d {
			a.forgetDevice()
		}
		a.mu.Unlock()
		return err
	}
	return nil
}

func (a *Account) setDevice(d *device) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.device = d
	a.changed.notify()
}

func verifyCountersignature(reply *waBinary.Node, d *device, details, accountKey []byte) error {
	if kind := reply.AttrGetter().OptionalString("type"); kind != "result" {
		failure := reply.GetChildByTag("error")
		return fmt.Errorf("the client refused the pairing: %s", failure.AttrGetter().OptionalString("text"))
	}
	identity := reply.GetChildByTag("pair-device-sign", "device-identity")
	raw, _ := identity.Content.([]byte)
	var got waAdv.ADVSignedDeviceIdentity
	if err := proto.Unmarshal(raw, &got); err != nil {
		return fmt.Errorf("parse the client's device identity: %w", err)
	}
	message := slices.Concat(whatsmeow.AdvDeviceSignaturePrefix, details, d.identity[:], accountKey)
	if len(got.GetDeviceSignature()) != 64 ||
		!ecc.VerifySignature(ecc.NewDjbECPublicKey(d.identity), message, [64]byte(got.GetDeviceSignature())) {
		return errors.New("the client's device signature is wrong")
	}
	return nil
}

// iqSet is a request of the server.
func iqSet(namespace string, content waBinary.Node) waBinary.Node {
	return waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{
		"from": types.ServerJID, "type": "set", "id": stanzaID(), "xmlns": namespace,
	}, Content: []waBinary.Node{content}}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
