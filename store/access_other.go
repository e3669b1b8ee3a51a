//go:build !unix

package store

import "io/fs"

// tighten does nothing here: Windows has no mode bits. The state lies in the user's profile, whose
// inherited access list already keeps other users out.
func tighten(string, fs.FileMode) error { return nil }

// Tighten does nothing here, for the same reason.
func Tighten(string) (changed, kept []string) { return nil, nil }

func notMade(err error, dir string) *Error {
	return systemError(err, dir, "state directory "+dir+" cannot be created")
}
