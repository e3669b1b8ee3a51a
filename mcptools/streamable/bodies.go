package streamable

import (
	"bytes"
	"errors"
	"io"
	"time"
)

const (
	// smallBody is what is read of any message at once, in bytes: nearly all are shorter.
	smallBody = 16 << 10
	// largeBodies is how many longer ones are received and served at a time: they cost the memory
	// of as many, taken apart, whatever the number of clients.
	largeBodies = 8
)

// errBodiesWait is the error of a message for which there was no place in time.
var errBodiesWait = errors.New("other long messages are being served")

// receive reads a message. A long one waits for its place, patience at most, and has it until done
// is called, which is never nil.
func (h *Handler) receive(body io.Reader) (message []byte, done func(), err error) {
	done = func() {}
	message, err = io.ReadAll(io.LimitReader(body, smallBody))
	if err != nil || len(message) < smallBody {
		return message, done, err
	}
	late := time.NewTimer(h.patience)
	defer late.Stop()
	select {
	case h.large <- struct{}{}:
		done = func() { <-h.large }
	case <-late.C:
		return nil, done, errBodiesWait
	case <-h.open.Done():
		return nil, done, errBodiesWait
	}
	whole := bytes.NewBuffer(message)
	_, err = whole.ReadFrom(body)
	return whole.Bytes(), done, err
}
