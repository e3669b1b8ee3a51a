package noise

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
	if h.aead, err = NewGCM(h.hash); err != nil {
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
	sealed := h.aead.Seal(nil, Nonce(h.counter), plain, h.hash)
	h.counter++
	h.authenticate(sealed)
	return sealed
}

func (h *handshake) decrypt(sealed []byte) ([]byte, error) {
	plain, err := h.aead.Open(nil, Nonce(h.counter), sealed, h.hash)
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
	h.aead, err = NewGCM(second)
	return err
}

// Ciphers seal and open the frames after a handshake. Each direction counts its frames from 0: see
// Nonce.
type Ciphers struct {
	FromClient, ToClient cipher.AEAD
}

// finish derives the ciphers of the connection.
func (h *handshake) finish() (Ciphers, error) {
	first, second, err := h.expand(nil)
	if err != nil {
		return Ciphers{}, err
	}
	fromClient, err := NewGCM(first)
	if err != nil {
		return Ciphers{}, err
	}
	toClient, err := NewGCM(second)
	return Ciphers{FromClient: fromClient, ToClient: toClient}, err
}

func (h *handshake) expand(secret []byte) (first, second []byte, err error) {
	out, err := hkdf.Key(sha256.New, secret, h.salt, "", 64)
	if err != nil {
		return nil, nil, fmt.Errorf("derive handshake keys: %w", err)
	}
	return out[:32], out[32:], nil
}

// Client is what a client has shown during the handshake.
type Client struct {
	Static  [32]byte // the client's noise key
	Payload *waWa6.ClientPayload
}

// Accept runs the responder's side over a fresh connection: client hello, server hello with
// certificates, client finish. header is what the client sent in front of its first frame; read and
// write move one frame each. The ciphers are for the frames that follow.
func (k *Keys) Accept(header []byte, read func() ([]byte, error), write func([]byte) error) (Client, Ciphers, error) {
	h, err := newHandshake(header)
	if err != nil {
		return Client{}, Ciphers{}, err
	}
	var in waWa6.HandshakeMessage
	if err := readProto(read, &in); err != nil {
		return Client{}, Ciphers{}, fmt.Errorf("read client hello: %w", err)
	}
	clientEphemeral := in.GetClientHello().GetEphemeral()
	ephemeral, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return Client{}, Ciphers{}, err
	}
	h.authenticate(clientEphemeral)
	h.authenticate(ephemeral.PublicKey().Bytes())
	if err := h.mix(ephemeral, clientEphemeral); err != nil {
		return Client{}, Ciphers{}, err
	}
	static := h.encrypt(k.static.PublicKey().Bytes())
	if err := h.mix(k.static, clientEphemeral); err != nil {
		return Client{}, Ciphers{}, err
	}
	out, err := proto.Marshal(&waWa6.HandshakeMessage{ServerHello: &waWa6.HandshakeMessage_ServerHello{
		Ephemeral: ephemeral.PublicKey().Bytes(), Static: static, Payload: h.encrypt(k.chain),
	}})
	if err != nil {
		return Client{}, Ciphers{}, err
	}
	if err := write(out); err != nil {
		return Client{}, Ciphers{}, fmt.Errorf("write server hello: %w", err)
	}
	client, err := k.readFinish(h, ephemeral, read)
	if err != nil {
		return Client{}, Ciphers{}, err
	}
	ciphers, err := h.finish()
	return client, ciphers, err
}

func (k *Keys) readFinish(h *handshake, ephemeral *ecdh.PrivateKey, read func() ([]byte, error)) (Client, error) {
	var in waWa6.HandshakeMessage
	if err := readProto(read, &in); err != nil {
		return Client{}, fmt.Errorf("read client finish: %w", err)
	}
	static, err := h.decrypt(in.GetClientFinish().GetStatic())
	if err != nil || len(static) != 32 {
		return Client{}, fmt.Errorf("open the client's noise key (%d bytes): %w", len(static), err)
	}
	if err := h.mix(ephemeral, static); err != nil {
		return Client{}, err
	}
	raw, err := h.decrypt(in.GetClientFinish().GetPayload())
	if err != nil {
		return Client{}, fmt.Errorf("open the client payload: %w", err)
	}
	payload := &waWa6.ClientPayload{}
	if err := proto.Unmarshal(raw, payload); err != nil {
		return Client{}, fmt.Errorf("parse the client payload: %w", err)
	}
	return Client{Static: [32]byte(static), Payload: payload}, nil
}

func readProto(read func() ([]byte, error), into proto.Message) error {
	raw, err := read()
	if err != nil {
		return err
	}
	return proto.Unmarshal(raw, into)
}

// NewGCM returns AES-GCM with the key, as all of WhatsApp's protocols use it.
func NewGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Nonce returns the nonce of the frame with the number.
func Nonce(counter uint32) []byte {
	iv := make([]byte, 12)
	binary.BigEndian.PutUint32(iv[8:], counter)
	return iv
}
