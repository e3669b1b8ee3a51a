package control

import (
	"context"
	"errors"
	"io"
	"time"
)

const (
	// smallBody is what is read of any request's body at once, in bytes.
	smallBody = 16 << 10
	// largeBodies is how many longer ones are read at a time: senders that are slow cost the memory
	// of as many, however many they are.
	largeBodies = 8
)

// errBodiesWait is the error of a body for which there was no place in time.
var errBodiesWait = errors.New("other requests with long bodies are being received already")

// bodies has a place for each long body that is being read.
type bodies chan struct{}

// read reads a body whole. A long one waits for its place, bodyTimeout at most or until ctx ends.
func (b bodies) read(ctx context.Context, body io.Reader, length int64) ([]byte, error) {
	raw := make([]byte, 0, min(max(length+1, 512), smallBody))
	raw, err := readUpTo(raw, body, smallBody)
	if err != nil || len(raw) < smallBody {
		return raw, err
	}
	late := time.NewTimer(bodyTimeout)
	defer late.Stop()
	select {
	case b <- struct{}{}:
		defer func() { <-b }()
	case <-late.C:
		return nil, errBodiesWait
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if length > smallBody && length <= maxRequestBytes {
		raw = append(make([]byte, 0, length+1), raw...)
	}
	return readUpTo(raw, body, 0)
}

// readUpTo appends what body has to raw, up to most bytes in all, 0 for all of it.
func readUpTo(raw []byte, body io.Reader, most int) ([]byte, error) {
	for most == 0 || len(raw) < most {
		if len(raw) == cap(raw) {
			raw = append(raw, 0)[:len(raw)]
		}
		end := cap(raw)
		if most > 0 {
			end = min(end, most)
		}
		n, err := body.Read(raw[len(raw):end])
		raw = raw[:len(raw)+n]
		if errors.Is(err, io.EOF) {
			return raw, nil
		}
		if err != nil {
			return raw, err
		}
	}
	return raw, nil
}
