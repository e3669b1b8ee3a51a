package wasim

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
)

// handshake is the responder's half of Noise_XX_25519_AESGCM_SHA256 as
// WhatsApp speaks it. Not safe for concurrent use.
type handshake struct {
	hash    []byte
	salt    []byte
	aead    cipher.AEAD
	counter uint32
}

// newHandshake starts a handshake; header is the prologue the client sent in
// front of its first frame.
func newHandshake(header []byte) (*handshake, error) {
	h := &handshake{hash: []byte(socket.NoiseStartPattern)}
	h.salt = h.hash
	var err error
	if h.aead, err = newGCM(h.hash); err != nil {
		return nil, err
	}
	h.authenticate(header)
	return h, nil
}

func (h *handshake) authenticate(data []byte) {
	sum := sha256.New()
	sum.Write(h.hash)
	sum.Write(data)
	h.hash = sum.Sum(nil)
}

func (h *handshake) encrypt(plain []byte) []byte {
	sealed := h.aead.Seal(nil, nonce(h.counter), plain, h.hash)
	h.counter++
	h.authenticate(sealed)
	return sealed
}

func (h *handshake) decrypt(sealed []byte) ([]byte, error) {
	plain, err := h.aead.Open(nil, nonce(h.counter), sealed, h.hash)
	if err != nil {
		return nil, err
	}
	h.counter++
	h.authenticate(sealed)
	return plain, nil
}

// mix folds the Diffie-Hellman secret of the two keys into the handshake key.
func (h *handshake) mix(private *ecdh.PrivateKey, public []byte) error {
	peer, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return fmt.Errorf("read the peer's key: %w", err)
	}
	secret, err := private.ECDH(peer)
	if err != nil {
		return fmt.Errorf("agree on a secret: %w", err)
	}
	first, second, err := h.expand(secret)
	if err != nil {
		return err
	}
	h.salt, h.counter = first, 0
	h.aead, err = newGCM(second)
	return err
}

// finish derives the transport ciphers: what the client sends, what it receives.
func (h *handshake) finish() (fromClient, toClient cipher.AEAD, err error) {
	first, second, err := h.expand(nil)
	if err != nil {
		return nil, nil, err
	}
	if fromClient, err = newGCM(first); err != nil {
		return nil, nil, err
	}
	toClient, err = newGCM(second)
	return fromClient, toClient, err
}

func (h *handshake) expand(secret []byte) (first, second []byte, err error) {
	out, err := hkdf.Key(sha256.New, secret, h.salt, "", 64)
	if err != nil {
		return nil, nil, fmt.Errorf("derive handshake keys: %w", err)
	}
	return out[:32], out[32:], nil
}

// hello is what the client proved and told during the handshake.
type hello struct {
	static  [32]byte // the client's noise key
	payload *waWa6.ClientPayload
}

// accept runs the responder's side over a fresh connection: client hello,
// server hello with certificates, client finish.
func (k *serverKeys) accept(header []byte, read func() ([]byte, error), write func([]byte) error) (hello, *handshake, error) {
	h, err := newHandshake(header)
	if err != nil {
		return hello{}, nil, err
	}
	var in waWa6.HandshakeMessage
	if err := readProto(read, &in); err != nil {
		return hello{}, nil, fmt.Errorf("read client hello: %w", err)
	}
	clientEphemeral := in.GetClientHello().GetEphemeral()
	ephemeral, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return hello{}, nil, err
	}
	h.authenticate(clientEphemeral)
	h.authenticate(ephemeral.PublicKey().Bytes())
	if err := h.mix(ephemeral, clientEphemeral); err != nil {
		return hello{}, nil, err
	}
	static := h.encrypt(k.static.PublicKey().Bytes())
	if err := h.mix(k.static, clientEphemeral); err != nil {
		return hello{}, nil, err
	}
	out, err := proto.Marshal(&waWa6.HandshakeMessage{ServerHello: &waWa6.HandshakeMessage_ServerHello{
		Ephemeral: ephemeral.PublicKey().Bytes(), Static: static, Payload: h.encrypt(k.chain),
	}})
	if err != nil {
		return hello{}, nil, err
	}
	if err := write(out); err != nil {
		return hello{}, nil, fmt.Errorf("write server hello: %w", err)
	}
	return k.readFinish(h, ephemeral, read)
}

func (k *serverKeys) readFinish(h *handshake, ephemeral *ecdh.PrivateKey, read func() ([]byte, error)) (hello, *handshake, error) {
	var in waWa6.HandshakeMessage
	if err := readProto(read, &in); err != nil {
		return hello{}, nil, fmt.Errorf("read client finish: %w", err)
	}
	static, err := h.decrypt(in.GetClientFinish().GetStatic())
	if err != nil || len(static) != 32 {
		return hello{}, nil, fmt.Errorf("open the client's noise key (%d bytes): %w", len(static), err)
	}
	if err := h.mix(ephemeral, static); err != nil {
		return hello{}, nil, err
	}
	raw, err := h.decrypt(in.GetClientFinish().GetPayload())
	if err != nil {
		return hello{}, nil, fmt.Errorf("open the client payload: %w", err)
	}
	payload := &waWa6.ClientPayload{}
	if err := proto.Unmarshal(raw, payload); err != nil {
		return hello{}, nil, fmt.Errorf("parse the client payload: %w", err)
	}
	return hello{static: [32]byte(static), payload: payload}, h, nil
}

func readProto(read func() ([]byte, error), into proto.Message) error {
	raw, err := read()
	if err != nil {
		return err
	}
	return proto.Unmarshal(raw, into)
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func nonce(counter uint32) []byte {
	iv := make([]byte, 12)
	binary.BigEndian.PutUint32(iv[8:], counter)
	return iv
}
