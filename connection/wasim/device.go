package wasim

import (
	"encoding/binary"

	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/wasim/noise"
)

// device is the companion linked to an account: its keys, its one-time prekeys
// on the server, its connection and everything queued for it. Guarded by the
// account's lock.
type device struct {
	pn, lid      types.JID // with device number
	noise        [32]byte
	identity     [32]byte
	registration uint32
	signed       publicPreKey
	oneTime      []publicPreKey
	uploaded     bool // prekeys were uploaded at least once
	asked        bool // told that prekeys run low, no upload since

	conn      *conn
	active    bool // login finished on conn: stanzas flow
	available bool // sent <presence type=available> on conn
	watching  map[string]bool

	out outbox
}

// publicPreKey is the public half of a prekey of the companion.
type publicPreKey struct {
	ID        uint32
	Key       [32]byte
	Signature [64]byte // signed prekeys only
}

func newDevice(a *Account, number uint16, h noise.Client) *device {
	reg := h.Payload.GetDevicePairingData()
	d := &device{
		pn: a.pn, lid: a.lid, noise: h.Static,
		identity:     [32]byte(reg.GetEIdent()),
		registration: binary.BigEndian.Uint32(reg.GetERegid()),
		signed: publicPreKey{
			ID:        uint24(reg.GetESkeyID()),
			Key:       [32]byte(reg.GetESkeyVal()),
			Signature: [64]byte(reg.GetESkeySig()),
		},
		watching: make(map[string]bool),
	}
	d.pn.Device, d.lid.Device = number, number
	d.out.init()
	return d
}

// validRegistration tells whether a client's registration has the lengths the
// protocol prescribes, so that the conversions in newDevice cannot fail.
func validRegistration(reg *waWa6.ClientPayload_DevicePairingRegistrationData) bool {
	return len(reg.GetERegid()) == 4 && len(reg.GetEIdent()) == 32 && len(reg.GetESkeyID()) == 3 &&
		len(reg.GetESkeyVal()) == 32 && len(reg.GetESkeySig()) == 64
}

func uint24(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }

func bytes24(v uint32) []byte { return []byte{byte(v >> 16), byte(v >> 8), byte(v)} }

func bytes32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
