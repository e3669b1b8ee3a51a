package httpserver

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"waoutbox/store"
	"waoutbox/store/private"
)

// TokenFile is the name of the token's file in the state directory.
const TokenFile = "http-token"

// tokenPrefix lets people and secret scanners tell what a token is.
const tokenPrefix = "waoutbox_"

// Token is the bearer token of one state directory: 256 random bits in a file that only its owner
// reads. It is read at every use, so that what stands in the file is what counts, whoever wrote it.
// Safe for concurrent use.
type Token struct{ path string }

// TokenIn returns the token of a state directory, made or not.
func TokenIn(stateDir string) Token { return Token{filepath.Join(stateDir, TokenFile)} }

// Path is the token's file.
func (t Token) Path() string { return t.path }

// Make makes the token if there is none, and reports whether it did.
func (t Token) Make() (made bool, err error) {
	_, err = private.Read(t.path, maxToken) // which closes it to others
	if errors.Is(err, fs.ErrNotExist) {
		return true, t.Rotate()
	}
	if err != nil {
		return false, fmt.Errorf("the token of the HTTP listener cannot be used: %w", err)
	}
	return false, nil
}

// Rotate replaces the token; the one before is worth nothing from then on.
func (t Token) Rotate() error {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails
	if err := store.WriteFile(t.path, []byte(tokenPrefix+base64.RawURLEncoding.EncodeToString(raw)+"\n")); err != nil {
		return fmt.Errorf("the token of the HTTP listener cannot be written: %w", err)
	}
	return nil
}

// errNoToken says that the file holds none.
var errNoToken = errors.New("the file holds no token")

// minToken is the least length of a token that somebody wrote there by hand.
const minToken = 16

// maxToken bounds the file.
const maxToken = 4 << 10

// matches reports whether given is the token, in a time that tells nothing of it.
func (t Token) matches(given string) (bool, error) {
	raw, err := private.Read(t.path, maxToken)
	if err != nil {
		return false, err
	}
	want := strings.TrimSpace(string(raw))
	if len(want) < minToken {
		return false, errNoToken
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1, nil
}
