package backup

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"waoutbox/store"
)

// What is wrong with a file.
var (
	ErrPassphraseNeeded = errors.New("it is encrypted")
	ErrWrongPassphrase  = errors.New("the passphrase is not the one it was made with")
	ErrNoBackup         = errors.New("it is no backup of waoutbox")
	ErrDamaged          = errors.New("it is damaged or was cut off")
)

const (
	ageMagic = "age-encryption.org/v1"
	// maxSmall bounds every file of a backup but the outbox.
	maxSmall = 8 << 20
	// maxFiles bounds how many there are.
	maxFiles = 100_000
)

// Backup is a backup whose files were taken out of it.
type Backup struct {
	About
	Encrypted bool
	Files     []Entry
}

// Has reports whether a file is in it.
func (b Backup) Has(name string) bool {
	for _, f := range b.Files {
		if f.Name == name {
			return true
		}
	}
	return false
}

// Extract takes the files of a backup out into dir, which is made, and checks each of them. It
// returns an error that is one of the above, or what the system said; dir then holds parts.
func Extract(r io.Reader, passphrase, dir string) (Backup, error) {
	in := bufio.NewReader(r)
	begin, _ := in.Peek(len(ageMagic)) // shorter: the tar is none either
	b := Backup{Encrypted: string(begin) == ageMagic}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return b, err
	}
	from := io.Reader(in)
	if b.Encrypted {
		if passphrase == "" {
			return b, ErrPassphraseNeeded
		}
		id, err := age.NewScryptIdentity(passphrase)
		if err != nil {
			return b, err
		}
		id.SetMaxWorkFactor(maxWorkFactor)
		if from, err = age.Decrypt(in, id); err != nil {
			if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
				return b, ErrWrongPassphrase
			}
			return b, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	x := &extraction{Reader: tar.NewReader(from), dir: dir, backup: &b, names: map[string]bool{}}
	if err := x.all(); err != nil {
		return b, err
	}
	// what follows the tar is read too: the end of what is encrypted is proven by its last block
	if _, err := io.Copy(io.Discard, from); err != nil {
		return b, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return b, nil
}

type extraction struct {
	*tar.Reader
	dir    string
	backup *Backup
	names  map[string]bool // of backup.Files
}

func (x *extraction) all() error {
	h, err := x.Next()
	if err != nil || h.Name != aboutName {
		if x.backup.Encrypted && err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return ErrNoBackup
	}
	if err := x.json(h, &x.backup.About); err != nil {
		return err
	}
	if x.backup.Format != format {
		return fmt.Errorf("it has format %d, and this program knows format %d: use the version that wrote it (%s), or a newer one", x.backup.Format, format, x.backup.Version)
	}
	for {
		h, err := x.Next()
		if err != nil { // the end, too: there was no manifest
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if h.Name == manifestName {
			return x.compare(h)
		}
		if len(x.backup.Files) == maxFiles {
			return fmt.Errorf("%w: too many files", ErrDamaged)
		}
		if err := x.file(h); err != nil {
			return err
		}
	}
}

func (x *extraction) json(h *tar.Header, v any) error {
	raw, err := io.ReadAll(io.LimitReader(x, maxSmall))
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, h.Name, err)
	}
	return nil
}

// compare wants what was taken out to be what was put in.
func (x *extraction) compare(h *tar.Header) error {
	var m manifest
	if err := x.json(h, &m); err != nil {
		return err
	}
	if len(m.Files) != len(x.backup.Files) {
		return fmt.Errorf("%w: it holds %d files and had %d", ErrDamaged, len(x.backup.Files), len(m.Files))
	}
	for i, f := range m.Files {
		if x.backup.Files[i] != f {
			return fmt.Errorf("%w: the checksum of %s is wrong", ErrDamaged, x.backup.Files[i].Name)
		}
	}
	return nil
}

// file takes one file out. Only names that a backup has are taken: none leads out of dir.
func (x *extraction) file(h *tar.Header) error {
	if h.Typeflag != tar.TypeReg || !known(h.Name) || x.names[h.Name] || sparse(h) {
		return fmt.Errorf("%w: it holds %.60q", ErrNoBackup, h.Name)
	}
	if h.Name != store.OutboxFile && h.Size > maxSmall {
		return fmt.Errorf("%w: %s has %d bytes", ErrDamaged, h.Name, h.Size)
	}
	path := filepath.Join(x.dir, filepath.FromSlash(h.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	read := &remembered{from: x}
	n, err := io.Copy(io.MultiWriter(f, sum), read)
	if read.err != nil {
		err = fmt.Errorf("%w: %w", ErrDamaged, read.err)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	x.names[h.Name] = true
	x.backup.Files = append(x.backup.Files, Entry{Name: h.Name, Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// sparse reports whether a file is written with holes: a few bytes then stand for as many as its
// maker likes, which would fill the disk.
func sparse(h *tar.Header) bool {
	for name := range h.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// remembered keeps the error of reading, which is another than that of writing.
type remembered struct {
	from io.Reader
	err  error
}

func (r *remembered) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

func known(name string) bool {
	switch name {
	case store.OutboxFile, store.ConfigFile, store.KeyFile, store.HeadersFile:
		return true
	}
	base, ok := strings.CutPrefix(name, store.SecretsDir+"/")
	return ok && base != "" && !strings.HasPrefix(base, ".") && !strings.ContainsAny(base, "/\\:\x00")
}
