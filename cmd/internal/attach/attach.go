// Package attach opens the files that agents and programs may send: those in the directories that
// the user set aside for it, and what URLs name, as far as deliveries go.
package attach

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"waoutbox/cmd/internal/term"
	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox/api"
)

const (
	// maxFetched is the largest file that is fetched from a URL.
	maxFetched = 256 << 20
	// fetchTime is how long fetching one may take.
	fetchTime = 5 * time.Minute
)

// Options are what Sources needs.
type Options struct {
	Dirs     []string // absolute and clean; none: no path is allowed
	StateDir string   // never sent from, whatever Dirs says
	// CheckURL is a webhook's: the URL as it is requested, or why nothing goes there
	CheckURL func(raw string, allowInsecure bool) (string, error)
	HTTP     *http.Client // dials where deliveries may, and follows no redirect
	// Public is the same for what agents and programs name: it dials no private address, and not
	// this machine
	Public *http.Client
	// Lists reports whether the user allowed the host of a URL that CheckURL returned: agents and
	// programs may then name it wherever it is
	Lists func(checked string) bool
}

// Sources opens files by path and URL. Safe for concurrent use.
type Sources struct{ o Options }

// New returns the sources. It opens nothing.
func New(o Options) *Sources { return &Sources{o} }

// Name returns what the file of a request is called, by its path or URL.
func (s *Sources) Name(in api.File) string {
	if in.Path != "" {
		return Name(filepath.Base(filepath.Clean(in.Path)))
	}
	u, err := url.Parse(in.URL)
	if err != nil || strings.Trim(u.Path, "/.") == "" {
		return ""
	}
	return Name(path.Base(u.Path))
}

// Open opens what a request names by exactly one of path and URL. What only programs of this
// machine and its network can read is fetched for byUser, who is at the command line, and from
// hosts that he allowed. The content must be closed; it is an error of reading when it is too large
// or takes too long. Errors are *api.Error, or ctx's.
func (s *Sources) Open(ctx context.Context, in api.File, byUser bool) (io.ReadCloser, error) {
	switch {
	case in.Path != "" && in.URL != "":
		return nil, api.Errorf(api.CodeInvalidArguments, "the file has a path and a URL: give one of them").In("file")
	case in.Path != "":
		return s.openPath(in.Path)
	case in.URL != "":
		return s.openURL(ctx, in.URL, byUser)
	}
	return nil, api.Errorf(api.CodeInvalidArguments, "the file has neither path nor URL: give one of them").In("file")
}

// openPath opens a file below one of the directories. Links that lead out of it are refused by the
// system's own means, so that nothing can be put in between.
func (s *Sources) openPath(name string) (io.ReadCloser, error) {
	if !filepath.IsAbs(name) {
		return nil, api.Errorf(api.CodePathNotAllowed, "%q is not an absolute path", name)
	}
	if len(s.o.Dirs) == 0 {
		return nil, api.Errorf(api.CodePathNotAllowed, "no directory is set aside for files that may be sent. The user can do it: %s", s.command("config set media-dirs DIR"))
	}
	clean := filepath.Clean(name)
	for _, dir := range s.o.Dirs {
		rel, err := filepath.Rel(dir, clean)
		if err != nil || !filepath.IsLocal(rel) || rel == "." {
			continue
		}
		f, err := s.openIn(dir, rel)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	return nil, api.Errorf(api.CodePathNotAllowed, "%q is in none of the directories that files may be sent from (media-dirs)", clean)
}

func (s *Sources) openIn(dir, rel string) (*os.File, error) {
	full := filepath.Join(dir, rel)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, api.Errorf(api.CodePathNotAllowed, "the directory %s of media-dirs cannot be opened (%s)", dir, reason(err))
	}
	defer root.Close()
	// a pipe would hold the opening up
	if info, err := root.Stat(rel); err == nil && !info.Mode().IsRegular() {
		return nil, api.Errorf(api.CodePathNotAllowed, "%s is no file", full)
	}
	f, err := root.Open(rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, api.Errorf(api.CodeMediaUnavailable, "%s does not exist", full)
	case errors.Is(err, fs.ErrPermission):
		return nil, api.Errorf(api.CodePathNotAllowed, "%s may not be read by the service", full)
	case err != nil:
		return nil, api.Errorf(api.CodePathNotAllowed, "%s cannot be opened (%s): links that lead out of media-dirs are not followed", full, reason(err))
	}
	if err := s.check(f, full); err != nil {
		_ = f.Close() // read only
		return nil, err
	}
	return f, nil
}

// check refuses what is no file, and everything of the state directory: the directory that was set
// aside may contain it, or lie in it.
func (s *Sources) check(f *os.File, full string) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return api.Errorf(api.CodePathNotAllowed, "%s is no file", full)
	}
	state, err := filepath.EvalSymlinks(s.o.StateDir)
	if err != nil {
		return api.Errorf(api.CodePathNotAllowed, "the state directory cannot be looked at, so nothing is sent by its path")
	}
	resolved, err := filepath.EvalSymlinks(full)
	if err != nil {
		return api.Errorf(api.CodePathNotAllowed, "%s changed while it was opened", full)
	}
	// the place that was judged must be that of the file that was opened
	if same, err := os.Stat(resolved); err != nil || !os.SameFile(same, info) {
		return api.Errorf(api.CodePathNotAllowed, "%s changed while it was opened", full)
	}
	if rel, err := filepath.Rel(state, resolved); err == nil && filepath.IsLocal(rel) {
		return api.Errorf(api.CodePathNotAllowed, "%s belongs to the state of waoutbox, which is never sent", full)
	}
	return nil
}

// reason is what is wrong, without the path.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// openURL begins to fetch what a URL names.
func (s *Sources) openURL(ctx context.Context, raw string, byUser bool) (io.ReadCloser, error) {
	target, err := s.o.CheckURL(raw, false)
	if err != nil {
		return nil, api.Errorf(api.CodeInvalidURL, "the file cannot be fetched: %s", err)
	}
	client := s.o.Public
	if byUser || s.o.Lists(target) {
		client = s.o.HTTP
	}
	ctx, cancel := context.WithTimeoutCause(ctx, fetchTime, errTooSlow)
	body, err := s.get(ctx, client, target)
	if err != nil {
		cancel()
		return nil, err
	}
	return &fetched{body: body, left: maxFetched, ctx: ctx, cancel: cancel}, nil
}

func (s *Sources) get(ctx context.Context, client *http.Client, target string) (io.ReadCloser, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, api.Errorf(api.CodeInvalidURL, "the URL cannot be read")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, api.Errorf(api.CodeInvalidURL, "the URL cannot be read")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, s.unreachable(ctx, u.Host, err)
	}
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		err = api.Errorf(api.CodeMediaUnavailable, "%s redirects to another place, which is not followed: give the URL of the file itself", u.Host)
	case resp.StatusCode != http.StatusOK:
		err = api.Errorf(api.CodeMediaUnavailable, "%s answers %s instead of the file", u.Host, resp.Status)
	case resp.ContentLength > maxFetched:
		err = api.Errorf(api.CodeMediaTooLarge, "the file at %s has %s, and at most %s are fetched: save it, and send it by its path", u.Host, term.Bytes(resp.ContentLength), term.Bytes(maxFetched))
	}
	if err != nil {
		_ = resp.Body.Close() // not read
		return nil, err
	}
	return resp.Body, nil
}

// maxName is the longest name that a file is given of itself, in characters.
const maxName = 100

// Name is what a file is called by the last part of where it came from: shortened before its
// ending, without what no name has.
func Name(base string) string {
	base = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '/' || r == '\\' || r == utf8.RuneError {
			return -1
		}
		return r
	}, base)
	ext := filepath.Ext(base)
	stem := []rune(strings.TrimSuffix(base, ext))
	if utf8.RuneCountInString(ext) > maxName/2 {
		stem, ext = []rune(base), ""
	}
	if most := maxName - utf8.RuneCountInString(ext); len(stem) > most {
		stem = stem[:most]
	}
	return string(stem) + ext
}

var errTooSlow = errors.New("took too long")

// unreachable says why a fetch failed. Of a URL only the host is told: the rest may be secret.
func (s *Sources) unreachable(ctx context.Context, host string, err error) error {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errTooSlow) {
		return ctx.Err()
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if refused, ok := errors.AsType[*webhook.AddressError](err); ok { // it stays so
		return api.Errorf(api.CodeInvalidURL, "the file at %s is not fetched: %s", host, refused)
	}
	return api.Retryf(api.CodeMediaUnavailable, "the file at %s cannot be fetched: %s", host, err)
}

// fetched is the body of a response, as long as it is not too large and comes in time.
type fetched struct {
	body   io.ReadCloser
	left   int64
	ctx    context.Context
	cancel context.CancelFunc
}

func (f *fetched) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	f.left -= int64(n)
	switch {
	case f.left < 0:
		return 0, api.Errorf(api.CodeMediaTooLarge, "the file has more than %s: save it, and send it by its path", term.Bytes(maxFetched))
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case errors.Is(context.Cause(f.ctx), errTooSlow):
		return n, api.Retryf(api.CodeMediaUnavailable, "the file did not come within %s", fetchTime)
	}
	return n, api.Retryf(api.CodeMediaUnavailable, "the file did not come whole: its server ended the connection")
}

func (f *fetched) Close() error {
	defer f.cancel()
	return f.body.Close()
}

func (s *Sources) command(words string) string {
	return term.Command(s.o.StateDir, strings.Fields(words)...)
}
