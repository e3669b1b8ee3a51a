package wasim

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/util/cbcutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
)

// MediaKind is what a medium is, as a person sees it.
type MediaKind string

const (
	Image    MediaKind = "image"
	Video    MediaKind = "video"
	Audio    MediaKind = "audio"
	Voice    MediaKind = "voice" // audio recorded in the chat
	Document MediaKind = "document"
	Sticker  MediaKind = "sticker"
)

// keys is the text WhatsApp derives the keys of a kind with.
func (k MediaKind) keys() (whatsmeow.MediaType, error) {
	switch k {
	case Image, Sticker:
		return whatsmeow.MediaImage, nil
	case Video:
		return whatsmeow.MediaVideo, nil
	case Audio, Voice:
		return whatsmeow.MediaAudio, nil
	case Document:
		return whatsmeow.MediaDocument, nil
	}
	return "", fmt.Errorf("%q is not image, video, audio, voice, document or sticker", string(k))
}

// macLen is how much of the MAC ends an encrypted medium.
const macLen = 10

// Medium is one encrypted file on the simulated media server. Methods are safe for concurrent use.
type Medium struct {
	srv  *Server
	kind MediaKind
	key  []byte
	// of the plaintext and of the encrypted file
	plainHash, fileHash []byte
	plainLen            int

	// Guarded by the server's lock.
	file     []byte // what is served
	path     string // direct path, with its query
	gone     int    // status of every request for it, 0 serves it
	cutAfter int64  // bytes of a response before the connection is cut
	cuts     int    // how many responses are cut
	noRanges bool
	requests []MediaRequest
}

// MediaRequest is one download of a medium.
type MediaRequest struct {
	Range string    `json:"range,omitempty"` // the header
	Hash  string    `json:"hash,omitempty"`  // from the query
	At    time.Time `json:"at"`
}

// AddMedium encrypts a file under a fresh key and puts it on the media server. It stays there over
// a restart if it is not larger than 8 MiB.
func (s *Server) AddMedium(kind MediaKind, plain []byte) (*Medium, error) {
	typ, err := kind.keys()
	if err != nil {
		return nil, err
	}
	plainHash := sha256.Sum256(plain)
	m := &Medium{srv: s, kind: kind, key: randomBytes(32), plainLen: len(plain), plainHash: plainHash[:]}
	iv, cipherKey, macKey := mediaKeys(m.key, typ)
	file, err := cbcutil.Encrypt(cipherKey, iv, slices.Clone(plain))
	if err != nil {
		return nil, fmt.Errorf("encrypt a medium: %w", err)
	}
	m.file = append(file, mediaMAC(macKey, iv, file)...)
	fileHash := sha256.Sum256(m.file)
	m.fileHash = fileHash[:]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish(m)
	return m, nil
}

// publish gives a medium a new direct path. Call with the lock held.
func (s *Server) publish(m *Medium) {
	delete(s.media, m.path)
	m.path, m.gone = newMediaPath(), 0
	s.media[m.path] = m
}

// newMediaPath is a direct path, as WhatsApp's media servers give them.
func newMediaPath() string {
	return fmt.Sprintf("/v/t62.7118-24/%s_n.enc?ccb=11-4&oh=%s&oe=7F000000", strings.ToLower(rand.Text()), rand.Text())
}

func mediaKeys(key []byte, typ whatsmeow.MediaType) (iv, cipherKey, macKey []byte) {
	all := hkdfutil.SHA256(key, nil, []byte(typ), 112)
	return all[:16], all[16:48], all[48:80]
}

func mediaMAC(macKey, iv, file []byte) []byte {
	h := hmac.New(sha256.New, macKey)
	h.Write(iv)
	h.Write(file)
	return h.Sum(nil)[:macLen]
}

// Path is the medium's direct path of now.
func (m *Medium) Path() string {
	m.srv.mu.Lock()
	defer m.srv.mu.Unlock()
	return m.path
}

// Requests lists the downloads so far, in order, those that were cut or refused too.
func (m *Medium) Requests() []MediaRequest {
	m.srv.mu.Lock()
	defer m.srv.mu.Unlock()
	return slices.Clone(m.requests)
}

// Expire lets every request for the medium end with a status: 404 and 410 as WhatsApp's servers
// return for what they have dropped, another for a fault of theirs, 0 serves it again.
func (m *Medium) Expire(status int) {
	m.srv.mu.Lock()
	defer m.srv.mu.Unlock()
	m.gone = status
}

// Cut lets the next times downloads break off after so many bytes of the response's body.
func (m *Medium) Cut(after int64, times int) {
	m.srv.mu.Lock()
	defer m.srv.mu.Unlock()
	m.cutAfter, m.cuts = after, times
}

// IgnoreRanges lets the server return the whole file whatever part is asked for.
func (m *Medium) IgnoreRanges() {
	m.srv.mu.Lock()
	defer m.srv.mu.Unlock()
	m.noRanges = true
}

// Damage changes one byte of the file on the server, which its hash and MAC no longer fit.
func (m *Medium) Damage() {
	m.srv.mu.Lock()
	defer m.srv.mu.Unlock()
	m.file = slices.Clone(m.file)
	m.file[len(m.file)/2] ^= 1
}

// Media lists the media contacts sent, oldest first; what the companion uploaded is not among them.
func (s *Server) Media() []*Medium {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sentMedia)
}

// Said is what a message says about its medium.
type Said interface {
	GetDirectPath() string
	GetMediaKey() []byte
	GetFileSHA256() []byte
	GetFileEncSHA256() []byte
	GetFileLength() uint64
}

// Download decrypts the medium of a message, as its receiver's phone would, with every check that
// one makes.
func (s *Server) Download(kind MediaKind, m Said) ([]byte, error) {
	typ, err := kind.keys()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	stored := s.media[m.GetDirectPath()]
	var file []byte
	if stored != nil {
		file = stored.file
	}
	s.mu.Unlock()
	sum := sha256.Sum256(file)
	switch {
	case stored == nil:
		return nil, fmt.Errorf("nothing was uploaded to %s", m.GetDirectPath())
	case !bytes.Equal(sum[:], m.GetFileEncSHA256()):
		return nil, errors.New("the hash of the encrypted file is not the message's")
	case len(file) <= macLen:
		return nil, errors.New("the file is too short")
	}
	iv, cipherKey, macKey := mediaKeys(m.GetMediaKey(), typ)
	body, mac := file[:len(file)-macLen], file[len(file)-macLen:]
	if !hmac.Equal(mediaMAC(macKey, iv, body), mac) {
		return nil, errors.New("the MAC is wrong")
	}
	plain, err := cbcutil.Decrypt(cipherKey, iv, slices.Clone(body))
	if err != nil {
		return nil, fmt.Errorf("decrypt the medium: %w", err)
	}
	if sum := sha256.Sum256(plain); !bytes.Equal(sum[:], m.GetFileSHA256()) || uint64(len(plain)) != m.GetFileLength() {
		return nil, errors.New("the file's hash or length is not the message's")
	}
	return plain, nil
}

// uploadToken is what an upload is named by: the hash of what is uploaded.
func uploadToken(file []byte) string {
	sum := sha256.Sum256(file)
	return base64.URLEncoding.EncodeToString(sum[:])
}

// Kind is what the medium is.
func (m *Medium) Kind() MediaKind { return m.kind }

// Said is what a message of now would say of the medium.
func (m *Medium) Said() Said {
	_, said := kindOf(m.message(MediaOptions{}))
	return said
}
