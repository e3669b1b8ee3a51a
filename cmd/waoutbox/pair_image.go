package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"rsc.io/qr"

	"waoutbox/store"
)

// qrImage is a QR code as an image file: whoever sees it can link to the account, so only the user
// can read it and it goes when pairing is over. The zero path is none.
type qrImage struct {
	path    string
	claimed bool
}

// claim makes the file, and refuses one that is there: it would be lost at the end.
func (q *qrImage) claim() error {
	f, err := os.OpenFile(q.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return usagef("%s is there already, and pairing would remove it at the end: remove it, or give another name", q.path)
	case err != nil:
		return usagef("the image cannot be written: %v", err)
	}
	q.claimed = true
	return f.Close()
}

// write puts a code into the file in one step, so that nobody sees half of one.
func (q *qrImage) write(text string) error {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return fmt.Errorf("draw the QR code: %w", err)
	}
	if err := store.WriteFile(q.path, code.PNG()); err != nil {
		return fmt.Errorf("write the QR code: %w", err)
	}
	return nil
}

// remove takes the file away if claim made it.
func (q *qrImage) remove() error {
	if !q.claimed {
		return nil
	}
	if err := os.Remove(q.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the QR code, which others could use, could not be removed: %w", err)
	}
	return nil
}
