package stanzas

import (
	"crypto/sha256"
	"slices"
)

// keptPlaintexts bounds the plaintexts that are remembered: those of the message being handled, and
// of a few that are handled beside it.
const keptPlaintexts = 16

// plaintexts remembers what the library decrypted last, under the library's own name for the
// ciphertext.
type plaintexts struct {
	kept []decrypted
}

type decrypted struct {
	hash  [32]byte
	plain []byte
	// the ciphertext was handled before: it says nothing new
	before bool
}

func (p *plaintexts) add(d decrypted) {
	p.kept = append(p.kept, d)
	if n := len(p.kept) - keptPlaintexts; n > 0 {
		p.kept = slices.Delete(p.kept, 0, n)
	}
}

func (p *plaintexts) find(hash [32]byte) (decrypted, bool) {
	for i := len(p.kept) - 1; i >= 0; i-- {
		if p.kept[i].hash == hash {
			return p.kept[i], true
		}
	}
	return decrypted{}, false
}

// Decrypted takes note of a ciphertext that the library has decrypted. The plaintext must not
// change.
func (w *Watch) Decrypted(hash [32]byte, plain []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plain.add(decrypted{hash: hash, plain: plain})
}

// DecryptedBefore takes note of a ciphertext that the library was given again after its event.
func (w *Watch) DecryptedBefore(hash [32]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plain.add(decrypted{hash: hash, before: true})
}

// plaintext finds what was decrypted of a ciphertext.
func (w *Watch) plaintext(hash [32]byte) (decrypted, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.plain.find(hash)
}

// hashOf is the library's name of a ciphertext in its event buffer. parts are how it was encrypted
// and by whom.
func hashOf(ciphertext []byte, parts ...string) [32]byte {
	h := sha256.New()
	h.Write(ciphertext)
	for _, p := range parts {
		h.Write([]byte{0})
		h.Write([]byte(p))
	}
	h.Write([]byte{0, 0})
	return [32]byte(h.Sum(nil))
}
