package media

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"go.mau.fi/whatsmeow/util/cbcutil"
)

const (
	// responseWait is how long a server may take to respond to a whole upload.
	responseWait = time.Minute
	maxResponse  = 64 << 10
	// roomStep is how often free space is looked at while a file is written.
	roomStep = 8 << 20
)

// Sealed is a file that was encrypted into the spool, to be uploaded. Close it.
type Sealed struct {
	Kind     Kind
	Looks    Looks // of a prepared file
	Key      []byte
	Hash     []byte // SHA-256 of the file
	FileHash []byte // SHA-256 of the encrypted file
	Size     int64  // of the file

	file   *os.File
	sealed int64 // length of the encrypted file
}

// Seal encrypts what it reads under a fresh key into the spool, at most limit bytes (0: what
// WhatsApp allows). Nothing of the file is written unencrypted. Errors: ErrTooLarge, ErrDiskLow,
// the reader's, the disk's, ctx's.
func (s *Spool) Seal(ctx context.Context, kind Kind, from io.Reader, limit int64) (*Sealed, error) {
	if kind.Type() == "" {
		return nil, fmt.Errorf("%q is no kind of medium", string(kind))
	}
	if limit <= 0 || limit > maxFile {
		limit = maxFile
	}
	file, err := os.CreateTemp(s.dir, "out-*") // 0600
	if err != nil {
		return nil, fmt.Errorf("encrypt a medium: %w", err)
	}
	out := &Sealed{Kind: kind, Key: make([]byte, keyLen), file: file}
	rand.Read(out.Key) // never fails
	k := keysOf(out.Key, kind)
	in := &source{ctx: ctx, from: from, left: limit}
	hash, fileHash, size, sealed, err := cbcutil.EncryptStream(k.cipher, k.iv, k.mac, in, &roomyWriter{file, s.o.Room, 0})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("encrypt a medium: %w", err), out.Close())
	}
	out.Hash, out.FileHash, out.Size, out.sealed = hash, fileHash, int64(size), int64(sealed)
	return out, nil
}

// source is what is read of a file to be sent: no more than is allowed, until ctx ends.
type source struct {
	ctx  context.Context
	from io.Reader
	left int64
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.from.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

// roomyWriter writes as long as the disk has room.
type roomyWriter struct {
	to   io.Writer
	room func(more int64) error
	left int64
}

func (w *roomyWriter) Write(p []byte) (int, error) {
	if w.left -= int64(len(p)); w.left < 0 {
		if err := w.room(roomStep); err != nil {
			return 0, err
		}
		w.left = roomStep
	}
	return w.to.Write(p)
}

// Open returns the decrypted file, from its beginning, until Close.
func (s *Sealed) Open() io.Reader {
	n := s.sealed - macLen
	return newOpener(keysOf(s.Key, s.Kind), io.NewSectionReader(s.file, 0, n), n)
}

// Close removes the file from the spool.
func (s *Sealed) Close() error {
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}

// Uploaded is where an uploaded file lies.
type Uploaded struct {
	URL        string `json:"url"`
	DirectPath string `json:"direct_path"`
}

// Upload uploads the encrypted file. It blocks for as long as the server takes bytes. Errors: those
// of Servers, ErrUnavailable, ctx's.
func (s *Sealed) Upload(ctx context.Context, to Servers, pause func(nth int) time.Duration) (Uploaded, error) {
	fresh := false
	for failed := 0; ; {
		hosts, auth, err := to.Hosts(ctx, fresh)
		if err != nil {
			return Uploaded{}, err
		}
		if len(hosts) == 0 {
			return Uploaded{}, fmt.Errorf("%w: it names none", ErrUnavailable)
		}
		up, err := s.post(ctx, to, hosts[failed%len(hosts)], auth)
		status := statusError(0)
		switch {
		case err == nil:
			return up, nil
		case ctx.Err() != nil:
			return Uploaded{}, ctx.Err()
		}
		fresh = errors.As(err, &status) && status < 500 // the token may have run out
		if failed++; failed >= tries {
			return Uploaded{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		select {
		case <-ctx.Done():
			return Uploaded{}, ctx.Err()
		case <-time.After(pause(failed)):
		}
	}
}

// post uploads the file to one host.
func (s *Sealed) post(ctx context.Context, to Servers, host, auth string) (up Uploaded, err error) {
	token := base64.URLEncoding.EncodeToString(s.FileHash)
	u := url.URL{
		Scheme: "https", Host: host, Path: "/mms/" + s.Kind.server() + "/" + token,
		RawQuery: url.Values{"auth": {auth}, "token": {token}}.Encode(),
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(responseWait, func() { cancel(fmt.Errorf("the server took nothing for %s", responseWait)) })
	defer watch.Stop()
	body := &progress{io.NewSectionReader(s.file, 0, s.sealed), watch}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), io.NopCloser(body))
	if err != nil {
		return up, fmt.Errorf("make the upload: %w", err)
	}
	req.ContentLength = s.sealed
	resp, err := do(to, req)
	if err != nil {
		return up, cause(ctx, err)
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusOK {
		return up, statusError(resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return up, cause(ctx, err)
	}
	if err := json.Unmarshal(raw, &up); err != nil || up.DirectPath == "" || up.URL == "" {
		return up, errors.New("the response to the upload names no path")
	}
	return up, nil
}

// progress puts the end of a request off while its body is read.
type progress struct {
	from  io.Reader
	watch *time.Timer
}

func (p *progress) Read(b []byte) (int, error) {
	p.watch.Reset(responseWait)
	return p.from.Read(b)
}
