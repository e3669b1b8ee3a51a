package store

import (
	"errors"
	"os"
	"path/filepath"

	"waoutbox/store/private"
)

// WriteFile replaces the file at path by one with this content and mode 0600, durably: a crash
// leaves the old file or the new one, whole, and perhaps a file whose name begins with a dot and
// the name of the old one. The directory must be there.
func WriteFile(path string, content []byte) error {
	dir, name := filepath.Split(path)
	tmp, err := os.CreateTemp(dir, "."+name+".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return private.SyncDir(filepath.Dir(path))
}

// SyncDir makes a rename or a new name in dir durable, where the system needs that.
func SyncDir(dir string) error { return private.SyncDir(dir) }
