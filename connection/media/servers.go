package media

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow/socket"
)

// Servers are WhatsApp's media servers, as the link knows them.
type Servers interface {
	// Hosts returns the media hosts, the best first, and the token for uploads; fresh asks for them
	// anew. An error says why they cannot be asked for: not connected, above all.
	Hosts(ctx context.Context, fresh bool) (hosts []string, auth string, err error)
	// Again asks the phone to upload a file once more that the servers have dropped, and returns
	// its new direct path. ErrExpired says that the phone has it no longer, or does not answer.
	Again(ctx context.Context, ref Ref) (path string, err error)
	// Do sends one request and follows no redirect.
	Do(req *http.Request) (*http.Response, error)
}

// Errors of a fetch, besides ErrDamaged and those of Servers and of the disk.
var (
	// ErrExpired: the servers have dropped the file, and the phone does not bring it back.
	ErrExpired = errors.New("WhatsApp no longer has the file")
	// ErrUnavailable: the servers cannot be reached, or refuse. Later it may work.
	ErrUnavailable = errors.New("WhatsApp's media servers cannot be reached")
	// ErrTooLarge: the file is larger than the limit.
	ErrTooLarge = errors.New("the file is too large")
	// ErrDiskLow: fetching it would leave less free space than there must be.
	ErrDiskLow = errors.New("the disk has too little free space")
)

// statusError is a response that is no success.
type statusError int

func (e statusError) Error() string { return "HTTP status " + strconv.Itoa(int(e)) }

// dropped reports whether the servers have the file no longer: 403 is what they return once a
// path's signature has run out.
func (e statusError) dropped() bool {
	return e == http.StatusForbidden || e == http.StatusNotFound || e == http.StatusGone
}

// address is where a file lies on a host. Only the path comes from the message.
func address(host string, ref Ref) (string, error) {
	path := ref.Path
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "#\r\n \\") {
		return "", fmt.Errorf("%w: its path is no path", ErrDamaged)
	}
	if !strings.Contains(path, "?") {
		path += "?"
	}
	raw := "https://" + host + path + "&hash=" + base64.URLEncoding.EncodeToString(ref.FileHash) + "&mms-type=" + ref.Kind.server() + "&__wa-mms="
	u, err := url.Parse(raw)
	if err != nil || u.Host != host || u.User != nil {
		return "", fmt.Errorf("%w: its path is no path", ErrDamaged)
	}
	return raw, nil
}

// get asks a host for a file from an offset on.
func get(ctx context.Context, s Servers, host string, ref Ref, from int64) (*http.Response, error) {
	at, err := address(host, ref)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: its path is no path", ErrDamaged)
	}
	if from > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
	}
	// a compressed response has no ranges
	req.Header.Set("Accept-Encoding", "identity")
	return do(s, req)
}

func do(s Servers, req *http.Request) (*http.Response, error) {
	req.Header.Set("Origin", socket.Origin)
	req.Header.Set("Referer", socket.Origin+"/")
	return s.Do(req)
}

// drain ends a response whose body is of no use.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
	_ = resp.Body.Close()
}

// part says which part of a file a response holds: from where on, and how long the file is, -1 if
// that is not told.
func part(resp *http.Response, asked int64) (from, total int64, err error) {
	switch resp.StatusCode {
	case http.StatusOK:
		return 0, resp.ContentLength, nil
	case http.StatusPartialContent:
		var to int64
		text := resp.Header.Get("Content-Range")
		if _, err := fmt.Sscanf(text, "bytes %d-%d/%d", &from, &to, &total); err != nil {
			total = -1
			if _, err := fmt.Sscanf(text, "bytes %d-%d/*", &from, &to); err != nil {
				return 0, 0, fmt.Errorf("the range of a part cannot be read: %q", text)
			}
		}
		if from != asked {
			return 0, 0, fmt.Errorf("the part begins at %d and not at %d", from, asked)
		}
		return from, total, nil
	}
	return 0, 0, statusError(resp.StatusCode)
}
