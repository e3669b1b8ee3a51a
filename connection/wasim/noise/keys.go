// Package noise is the server's half of WhatsApp's encryption of connections: the responder of
// Noise_XX_25519_AESGCM_SHA256 and the certificates by which a client knows its server.
package noise

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"go.mau.fi/libsignal/ecc"
	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCert"
	"go.mau.fi/whatsmeow/util/keys"
)

const (
	// intermediateSerial and leafSerial number the two certificates; the
	// client checks only that the leaf names the intermediate.
	intermediateSerial = 1
	leafSerial         = 2
	// certificateLife is how long the certificates of one start stay valid:
	// longer than any run of the simulator.
	certificateLife = 365 * 24 * time.Hour
)

// Keys are what a client checks to know its server: a root key that signs
// an intermediate, which signs the noise key used in the handshake.
type Keys struct {
	Root   *keys.KeyPair
	static *ecdh.PrivateKey
	chain  []byte // marshalled waCert.CertChain
}

// NewKeys makes the noise key and its certificates below the given root.
func NewKeys(root *keys.KeyPair, now time.Time) (*Keys, error) {
	static, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the server's noise key: %w", err)
	}
	intermediate := keys.NewKeyPair()
	upper, err := certificate(root, intermediateSerial, whatsmeow.WACertIssuerSerial, intermediate.Pub[:], now)
	if err != nil {
		return nil, err
	}
	leaf, err := certificate(intermediate, leafSerial, intermediateSerial, static.PublicKey().Bytes(), now)
	if err != nil {
		return nil, err
	}
	chain, err := proto.Marshal(&waCert.CertChain{Intermediate: upper, Leaf: leaf})
	if err != nil {
		return nil, fmt.Errorf("marshal the certificate chain: %w", err)
	}
	return &Keys{Root: root, static: static, chain: chain}, nil
}

// RootHex returns the public root key as hex digits.
func (k *Keys) RootHex() string { return hex.EncodeToString(k.Root.Pub[:]) }

func certificate(issuer *keys.KeyPair, serial, issuerSerial uint32, key []byte, now time.Time) (*waCert.CertChain_NoiseCertificate, error) {
	details, err := proto.Marshal(&waCert.CertChain_NoiseCertificate_Details{
		Serial: &serial, IssuerSerial: &issuerSerial, Key: key,
		NotBefore: proto.Uint64(uint64(now.Add(-time.Hour).Unix())),
		NotAfter:  proto.Uint64(uint64(now.Add(certificateLife).Unix())),
	})
	if err != nil {
		return nil, fmt.Errorf("marshal certificate %d: %w", serial, err)
	}
	signature := Sign(issuer, details)
	return &waCert.CertChain_NoiseCertificate{Details: details, Signature: signature}, nil
}

// Sign returns the XEdDSA signature WhatsApp uses everywhere.
func Sign(by *keys.KeyPair, message []byte) []byte {
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*by.Priv), message)
	return signature[:]
}
