package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"waoutbox/store/private"
)

// Names of the files in the state directory.
const (
	LockFile     = "lock"        // never renamed or removed
	ConfigFile   = "config.json" // settings
	KeyFile      = "key"         // 32 random bytes that seal secrets
	OutboxFile   = "outbox.db"   // bbolt
	WhatsAppFile = "whatsapp.db" // the library's own device store (SQLite)
	SocketFile   = "control.sock"
	LogFile      = "serve.log"
	AlertsFile   = "alerts.json" // what the alert-webhook was told and is not over
	MediaDir     = "media"       // files of messages, a directory
	// values of webhooks' headers that the user sets aside for agents
	HeadersFile = "webhook-headers"
	SecretsDir  = "secrets" // generated secrets of webhooks that agents registered, a directory
)

// DefaultDir is where the state lives when no flag names another place: $WAOUTBOX_STATE_DIR, else
// $STATE_DIRECTORY, which systemd sets for a unit with StateDirectory=, else the place the
// operating system goos keeps the state of programs in. It never returns a relative
// path: the state must not depend on the working directory. Errors are of kind NotAbsolute or
// NoPlace.
func DefaultDir(goos string, getenv func(string) string) (string, error) {
	if dir := getenv("WAOUTBOX_STATE_DIR"); dir != "" {
		if !absolute(goos, dir) {
			return "", newError(NotAbsolute, dir, nil, "WAOUTBOX_STATE_DIR is %q: give it an absolute path", dir)
		}
		return dir, nil
	}
	// several are in a list
	if dir, _, _ := strings.Cut(getenv("STATE_DIRECTORY"), ":"); goos != "windows" && absolute(goos, dir) {
		return strings.TrimRight(dir, "/"), nil
	}
	switch goos {
	case "windows": // not AppData: it is redirected for packaged apps, which would make two states
		if home := getenv("USERPROFILE"); absolute(goos, home) {
			return home + `\.waoutbox`, nil
		}
		return "", newError(NoPlace, "", nil, "no place for the state: USERPROFILE is not set")
	case "darwin":
		if home := getenv("HOME"); absolute(goos, home) {
			return home + "/Library/Application Support/waoutbox", nil
		}
	default:
		// a relative one is to be ignored, says its specification
		if xdg := getenv("XDG_STATE_HOME"); absolute(goos, xdg) {
			return strings.TrimRight(xdg, "/") + "/waoutbox", nil
		}
		if home := getenv("HOME"); absolute(goos, home) {
			return strings.TrimRight(home, "/") + "/.local/state/waoutbox", nil
		}
	}
	return "", newError(NoPlace, "", nil, "no place for the state: HOME is not set")
}

// absolute is filepath.IsAbs for a named operating system.
func absolute(goos, path string) bool {
	if goos == "windows" {
		return len(path) > 2 && path[1] == ':' && (path[2] == '\\' || path[2] == '/') || strings.HasPrefix(path, `\\`)
	}
	return strings.HasPrefix(path, "/")
}

// CheckDir reports why dir cannot be a state directory: Missing (wraps fs.ErrNotExist too),
// NotDirectory, OtherOwner, Writable (it, or a directory above it, in which others
// could put another one in its place), or System. It creates and changes nothing, so clients may
// call it beside a living owner.
func CheckDir(dir string) error {
	abs, err := filepath.Abs(dir)
	if err == nil {
		err = private.CheckDir(abs)
	}
	if err == nil {
		return nil
	}
	// First, because on Windows a file in its place is a path that does not exist.
	if info, serr := os.Stat(dir); serr == nil && !info.IsDir() {
		return newError(NotDirectory, dir, nil, "state directory %s is not a directory", dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return newError(Missing, dir, fs.ErrNotExist, "no state at %s", dir)
	}
	return privateError(err, dir, fmt.Sprintf("state directory %s cannot be used", dir))
}

// MakeDir creates dir and what is above it for its owner alone (mode 0700), or checks an existing
// one as CheckDir does and takes other permissions away. dir must be absolute. Safe beside a living
// owner.
func MakeDir(dir string) error {
	if dir == "" || !filepath.IsAbs(dir) {
		return newError(NotAbsolute, dir, nil, "state directory %q: give it an absolute path", dir)
	}
	err := CheckDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return notMade(err, dir)
		}
		err = CheckDir(dir)
	}
	if err != nil {
		return err
	}
	return tighten(dir, 0o700)
}
