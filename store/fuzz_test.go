package store

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"
)

// FuzzKey: whatever lies in the key file, it is a key of its size or refused; what it seals it
// opens, and nothing else does it open.
func FuzzKey(f *testing.F) {
	f.Add(make([]byte, keySize), []byte("sealed"), "wh_1")
	f.Add(append(make([]byte, keySize), settled), []byte{sealFormat}, "")
	f.Add([]byte("short"), []byte{}, "x")
	f.Fuzz(func(t *testing.T, raw, sealed []byte, context string) {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := OpenKey(path, true)
		if err != nil {
			if len(raw) == keySize {
				t.Errorf("a key is refused: %v", err)
			}
			return
		}
		if len(raw) != keySize && len(raw) != keySize+1 {
			t.Fatalf("%d bytes are taken for a key", len(raw))
		}
		if plain, err := k.Open(sealed, context); err == nil {
			t.Errorf("%x is opened as %x", sealed, plain)
		}
		own, err := k.Seal(sealed, context)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := k.Open(own, context); err != nil || !bytes.Equal(plain, sealed) {
			t.Errorf("%x is opened as %x, %v", sealed, plain, err)
		}
		if _, err := k.Open(own, context+"x"); err == nil {
			t.Error("it is opened for another owner")
		}
		own[len(own)-1] ^= 1
		if _, err := k.Open(own, context); err == nil {
			t.Error("it is opened after a change")
		}
	})
}

// FuzzHeader: a file that is no database, or cut off, is told from one before it is mapped.
func FuzzHeader(f *testing.F) {
	page := func(size uint32, pages, txid uint64) []byte {
		b := make([]byte, metaOffset+metaSize)
		e := binary.NativeEndian
		e.PutUint32(b[metaOffset:], boltMagic)
		e.PutUint32(b[metaOffset+4:], boltVersion)
		e.PutUint32(b[metaOffset+8:], size)
		e.PutUint64(b[metaOffset+40:], pages)
		e.PutUint64(b[metaOffset+metaTxid:], txid)
		return b
	}
	f.Add(append(page(1024, 1, 2), page(1024, 1, 3)...), uint16(1024))
	f.Add(page(4096, 1<<60, 1), uint16(4096))
	f.Add(page(0, 0, 0), uint16(0))
	f.Fuzz(func(t *testing.T, b []byte, second uint16) {
		for _, at := range []int{0, int(second)} { // so that more than the checksum is looked at
			if end := at + metaOffset + metaSize; end <= len(b) {
				sum := fnv.New64a()
				sum.Write(b[at+metaOffset : at+metaOffset+metaSummed])
				binary.NativeEndian.PutUint64(b[at+metaOffset+metaSummed:], sum.Sum64())
			}
		}
		path := filepath.Join(t.TempDir(), "outbox.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if checkHeader(path) != nil {
			return
		}
		m, err := newestMeta(bytes.NewReader(b))
		if err != nil || m.pageSize == 0 || m.pages*m.pageSize > uint64(len(b)) {
			t.Errorf("a file of %d bytes is taken, with %+v, %v", len(b), m, err)
		}
	})
}
