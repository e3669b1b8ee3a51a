package media

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"go.mau.fi/whatsmeow/util/hkdfutil"
)

const (
	hashLen = sha256.Size
	keyLen  = 32
	macLen  = 10 // how much of the MAC ends an encrypted file
	// chunk is what is read, decrypted and written at once. A multiple of the block size.
	chunk = 64 << 10
	// overhead is the most that an encrypted file is longer than the file.
	overhead = aes.BlockSize + macLen
)

// ErrDamaged says that a file is not the one its message speaks of: a hash, the MAC or the padding
// does not fit.
var ErrDamaged = errors.New("the file is not the one the message speaks of")

// keys are what a media key becomes.
type keys struct{ iv, cipher, mac []byte }

func keysOf(mediaKey []byte, kind Kind) keys {
	all := hkdfutil.SHA256(mediaKey, nil, []byte(kind.Type()), 112)
	return keys{iv: all[:16], cipher: all[16:48], mac: all[48:80]}
}

// encryptedLen is the length of the encrypted file of a file whose length is known.
func encryptedLen(ref Ref) int64 {
	if len(ref.Key) == 0 {
		return ref.Length
	}
	return ref.Length + aes.BlockSize - ref.Length%aes.BlockSize + macLen
}

// check reads the fetched file of n bytes once and returns the length of what is in it, or
// ErrDamaged unless every hash and the MAC fit.
func check(ref Ref, file io.ReaderAt, n int64) (length int64, err error) {
	if len(ref.Key) == 0 {
		plain := sha256.New()
		if _, err := io.Copy(plain, io.NewSectionReader(file, 0, n)); err != nil {
			return 0, fmt.Errorf("read the fetched file: %w", err)
		}
		if !bytes.Equal(plain.Sum(nil), ref.Hash) {
			return 0, fmt.Errorf("%w: its hash differs", ErrDamaged)
		}
		return n, nil
	}
	if n < macLen+aes.BlockSize || (n-macLen)%aes.BlockSize != 0 {
		return 0, fmt.Errorf("%w: %d bytes are no encrypted file", ErrDamaged, n)
	}
	k := keysOf(ref.Key, ref.Kind)
	whole, mac, plain := sha256.New(), hmac.New(sha256.New, k.mac), sha256.New()
	mac.Write(k.iv)
	body := io.TeeReader(io.NewSectionReader(file, 0, n-macLen), io.MultiWriter(whole, mac))
	length, padding := io.Copy(plain, newOpener(k, body, n-macLen))
	if padding != nil && !errors.Is(padding, ErrDamaged) {
		return 0, padding
	}
	var end [macLen]byte
	if _, err := file.ReadAt(end[:], n-macLen); err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read the fetched file: %w", err)
	}
	whole.Write(end[:])
	switch {
	case len(ref.FileHash) > 0 && !bytes.Equal(whole.Sum(nil), ref.FileHash):
		return 0, fmt.Errorf("%w: the hash of the encrypted file differs", ErrDamaged)
	case !hmac.Equal(mac.Sum(nil)[:macLen], end[:]):
		return 0, fmt.Errorf("%w: its MAC differs", ErrDamaged)
	case padding != nil:
		return 0, padding
	case !bytes.Equal(plain.Sum(nil), ref.Hash):
		return 0, fmt.Errorf("%w: its hash differs", ErrDamaged)
	}
	return length, nil
}

// opener decrypts a ciphertext, without its MAC, while it is read. A wrong padding is ErrDamaged,
// after all of the ciphertext was read.
type opener struct {
	from  io.Reader
	left  int64 // of the ciphertext
	cbc   cipher.BlockMode
	buf   []byte
	ready []byte // decrypted and not yet read
	err   error
}

// newOpener decrypts n bytes of ciphertext.
func newOpener(k keys, from io.Reader, n int64) *opener {
	block, err := aes.NewCipher(k.cipher)
	if err != nil {
		return &opener{err: fmt.Errorf("decrypt a medium: %w", err)}
	}
	return &opener{from: from, left: n, cbc: cipher.NewCBCDecrypter(block, k.iv), buf: make([]byte, min(int64(chunk), n))}
}

func (o *opener) Read(p []byte) (int, error) {
	for len(o.ready) == 0 && o.err == nil {
		o.ready, o.err = o.next()
	}
	if len(o.ready) == 0 {
		return 0, o.err
	}
	n := copy(p, o.ready)
	o.ready = o.ready[n:]
	return n, nil
}

// next decrypts the next chunk.
func (o *opener) next() ([]byte, error) {
	part := o.buf[:min(int64(len(o.buf)), o.left)]
	if len(part) == 0 {
		return nil, io.EOF
	}
	if _, err := io.ReadFull(o.from, part); err != nil {
		return nil, fmt.Errorf("read the fetched file: %w", err)
	}
	o.cbc.CryptBlocks(part, part)
	if o.left -= int64(len(part)); o.left > 0 {
		return part, nil
	}
	pad := int(part[len(part)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, fmt.Errorf("%w: its padding is wrong", ErrDamaged)
	}
	return part[:len(part)-pad], io.EOF
}

// Sum reads a file and reports whether it has this SHA-256.
func Sum(r io.Reader, want []byte) (bool, error) {
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, make([]byte, chunk)); err != nil {
		return false, err
	}
	return bytes.Equal(h.Sum(nil), want), nil
}
