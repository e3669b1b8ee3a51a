// Package backup is the file that `waoutbox backup` writes and `restore` reads: a tar of the outbox
// and the settings, the last entry of which has the checksum of every other one. With a passphrase
// it is encrypted as the age format (age-encryption.org/v1) has it, and then it holds the key and
// the secrets too. The WhatsApp session is never in it: an old one would bring keys back that were
// used already.
package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"waoutbox/store"
)

const (
	// format is the version of the file. A change of meaning raises it.
	format = 1
	// aboutName is the first entry, manifestName the last one: a file that was cut off has none.
	aboutName    = "waoutbox-backup.json"
	manifestName = "manifest.json"
	// workFactor is the logarithm of what it costs to try a passphrase: half a second and 128 MiB.
	workFactor = 17
	// maxWorkFactor bounds what a file may demand of who opens it.
	maxWorkFactor = 20
)

// About says what a backup is.
type About struct {
	Format    int       `json:"format"`
	Version   string    `json:"version"` // of the program that wrote it
	CreatedAt time.Time `json:"created_at"`
}

// Entry is one file in a backup.
type Entry struct {
	Name   string `json:"name"` // slash-separated
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// manifest is the last entry.
type manifest struct {
	About
	Files []Entry `json:"files"`
}

// Source is one file that is written into a backup.
type Source struct {
	Name string
	Path string // "": Text is its content
	Text string
}

// Sources lists what a backup of the state in dir holds, whose outbox was copied to outbox. With
// secrets the key, the values that were set aside for agents, and generated secrets are among it.
func Sources(dir, outbox string, secrets bool) ([]Source, error) {
	list := []Source{{Name: store.OutboxFile, Path: outbox}, {Name: store.ConfigFile, Path: filepath.Join(dir, store.ConfigFile)}}
	if _, err := os.Lstat(list[1].Path); errors.Is(err, fs.ErrNotExist) {
		list[1] = Source{Name: store.ConfigFile, Text: "{}\n"} // everything at its default
	}
	if !secrets {
		return list, nil
	}
	for _, name := range []string{store.KeyFile, store.HeadersFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			list = append(list, Source{Name: name, Path: filepath.Join(dir, name)})
		}
	}
	kept, err := os.ReadDir(filepath.Join(dir, store.SecretsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, k := range kept {
		if k.Type().IsRegular() && !strings.HasPrefix(k.Name(), ".") {
			list = append(list, Source{Name: store.SecretsDir + "/" + k.Name(), Path: filepath.Join(dir, store.SecretsDir, k.Name())})
		}
	}
	return list, nil
}

// Write writes a backup of files to w, encrypted when there is a passphrase.
func Write(w io.Writer, passphrase string, about About, files []Source) ([]Entry, error) {
	if passphrase == "" {
		return writeTar(w, about, files)
	}
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	to.SetWorkFactor(workFactor)
	sealed, err := age.Encrypt(w, to)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	entries, err := writeTar(sealed, about, files)
	return entries, errors.Join(err, sealed.Close())
}

func writeTar(w io.Writer, about About, files []Source) ([]Entry, error) {
	about.Format = format
	t := &tarWriter{tar.NewWriter(w), about.CreatedAt}
	if err := t.json(aboutName, about); err != nil {
		return nil, err
	}
	var entries []Entry
	for _, f := range files {
		e, err := t.file(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		entries = append(entries, e)
	}
	if err := t.json(manifestName, manifest{about, entries}); err != nil {
		return nil, err
	}
	return entries, t.Close()
}

type tarWriter struct {
	*tar.Writer
	at time.Time
}

func (t *tarWriter) header(name string, size int64) error {
	return t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: t.at, Format: tar.FormatPAX})
}

func (t *tarWriter) json(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = t.header(name, int64(len(b)))
	}
	if err == nil {
		_, err = t.Write(b)
	}
	return err
}

func (t *tarWriter) file(f Source) (Entry, error) {
	var from io.Reader = strings.NewReader(f.Text)
	size := int64(len(f.Text))
	if f.Path != "" {
		file, err := os.Open(f.Path)
		if err != nil {
			return Entry{}, err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return Entry{}, err
		}
		from, size = file, info.Size()
	}
	if err := t.header(f.Name, size); err != nil {
		return Entry{}, err
	}
	sum := sha256.New()
	// one that grows meanwhile is no whole file, and the writer refuses more than its header says
	if _, err := io.Copy(io.MultiWriter(t, sum), from); err != nil {
		return Entry{}, err
	}
	return Entry{Name: f.Name, Bytes: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, t.Flush()
}
