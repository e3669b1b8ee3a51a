package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	// stall is how long a server may send nothing before the connection is made anew.
	stall = 30 * time.Second
	// tries is how often in a row a download may break off, on all hosts, without a byte more.
	tries = 4
	// maxFile bounds every file: WhatsApp's own limit for documents is 2 GB.
	maxFile = 2<<30 + 1<<20
)

// download fetches what is missing of the encrypted file, and returns its length. What is there
// stays when it fails, for the next try.
type download struct {
	s     Servers
	ref   Ref
	file  *os.File
	limit int64                  // of the encrypted file
	room  func(more int64) error // whether the disk may take so much more
	pause func(nth int) time.Duration
}

func (d *download) run(ctx context.Context) (int64, error) {
	hosts, _, err := d.s.Hosts(ctx, false)
	if err != nil {
		return 0, err
	}
	if len(hosts) == 0 {
		return 0, fmt.Errorf("%w: it names none", ErrUnavailable)
	}
	have, err := d.file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, fmt.Errorf("download: %w", err)
	}
	for failed := 0; ; {
		before := have
		var done bool
		have, done, err = d.from(ctx, hosts[failed%len(hosts)], have)
		switch status := statusError(0); {
		case done:
			return have, nil
		case ctx.Err() != nil:
			return have, ctx.Err()
		case errors.As(err, &status) && status.dropped():
			return have, fmt.Errorf("%w (%w)", ErrExpired, err)
		case errors.As(err, &status) && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout:
			return have, fmt.Errorf("%w: %w", ErrUnavailable, err)
		case isFinal(err):
			return have, err
		case have > before:
			failed = 0
		}
		if failed++; failed >= tries*len(hosts) {
			return have, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		select {
		case <-ctx.Done():
			return have, ctx.Err()
		case <-time.After(d.pause(failed)):
		}
	}
}

// isFinal reports whether another try of this download would end the same way.
func isFinal(err error) bool {
	var disk *diskError
	return errors.Is(err, ErrTooLarge) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrDiskLow) || errors.As(err, &disk)
}

// diskError is a failure of the file that is fetched into.
type diskError struct{ err error }

func (e *diskError) Error() string { return e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }

// from asks one host for the rest of the file after have bytes, and returns how much there is then
// and whether that is all.
func (d *download) from(ctx context.Context, host string, have int64) (now int64, done bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing came for %s", stall)) })
	defer watch.Stop()
	resp, err := get(ctx, d.s, host, d.ref, have)
	if err != nil {
		return have, false, cause(ctx, err)
	}
	defer drain(resp)
	if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && have > 0 {
		// it may be whole already: the check tells, and begins anew if not
		return have, true, nil
	}
	at, total, err := part(resp, have)
	if err != nil {
		return have, false, err
	}
	if total > d.limit {
		return have, false, fmt.Errorf("%w: it has %d bytes, and %d are allowed", ErrTooLarge, total, d.limit)
	}
	if at != have { // the server knows no ranges
		if err := d.file.Truncate(0); err != nil {
			return have, false, &diskError{err}
		}
	}
	if total > at {
		if err := d.room(total - at); err != nil {
			return at, false, err
		}
	}
	if _, err := d.file.Seek(at, io.SeekStart); err != nil {
		return at, false, &diskError{err}
	}
	buf := make([]byte, chunk)
	for now = at; ; {
		n, err := resp.Body.Read(buf)
		watch.Reset(stall)
		if now+int64(n) > d.limit {
			return now, false, fmt.Errorf("%w: more than %d bytes came", ErrTooLarge, d.limit)
		}
		if m, err := d.file.Write(buf[:n]); err != nil {
			return now + int64(m), false, &diskError{err}
		}
		now += int64(n)
		switch {
		case errors.Is(err, io.EOF) && (total < 0 || now == total):
			return now, true, nil
		case errors.Is(err, io.EOF):
			return now, false, fmt.Errorf("the connection ended after %d of %d bytes", now, total)
		case err != nil:
			return now, false, cause(ctx, err)
		}
	}
}

// cause is why a request ended: our own reason, if we ended it.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}
