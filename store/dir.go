package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
)

// DefaultDir is where the state lives when no flag names another place: $WAOUTBOX_STATE_DIR, else the place the operating
// system goos keeps the state of programs in. It never answers a relative path: the state must not depend on the working
// directory.
func DefaultDir(goos string, getenv func(string) string) (string, error) {
	if dir := getenv("WAOUTBOX_STATE_DIR"); dir != "" {
		if !absolute(goos, dir) {
			return "", fmt.Errorf("WAOUTBOX_STATE_DIR is %q: give it an absolute path", dir)
		}
		return dir, nil
	}
	switch goos {
	case "windows": // not AppData: it is redirected for packaged apps, which would make two states
		if home := getenv("USERPROFILE"); absolute(goos, home) {
			return home + `\.waoutbox`, nil
		}
		return "", errors.New("no place for the state: USERPROFILE is not set; name a directory with --state-dir")
	case "darwin":
		if home := getenv("HOME"); absolute(goos, home) {
			return home + "/Library/Application Support/waoutbox", nil
		}
	default:
		if xdg := getenv("XDG_STATE_HOME"); absolute(goos, xdg) { // a relative one is to be ignored, says its specification
			return strings.TrimRight(xdg, "/") + "/waoutbox", nil
		}
		if home := getenv("HOME"); absolute(goos, home) {
			return strings.TrimRight(home, "/") + "/.local/state/waoutbox", nil
		}
	}
	return "", errors.New("no place for the state: HOME is not set; name a directory with --state-dir")
}

// absolute is filepath.IsAbs for a named operating system.
func absolute(goos, path string) bool {
	if goos == "windows" {
		return len(path) > 2 && path[1] == ':' && (path[2] == '\\' || path[2] == '/') || strings.HasPrefix(path, `\\`)
	}
	return strings.HasPrefix(path, "/")
}

// CheckDir reports in one sentence why dir cannot be a state directory: missing (wraps fs.ErrNotExist), not a directory, of
// another owner, or writable by others. It creates and changes nothing, so clients may call it beside a living owner.
func CheckDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no state in %s yet: %w", dir, fs.ErrNotExist)
	}
	if err != nil {
		return Unusable(err, fmt.Sprintf("state directory %s cannot be used", dir))
	}
	if !info.IsDir() {
		return unusable(nil, "state directory %s is not a directory: name another one with --state-dir", dir)
	}
	return checkAccess(dir, info)
}

// makeDir creates dir for its owner alone, or checks and tightens an existing one.
func makeDir(dir string) error {
	if dir == "" || !filepath.IsAbs(dir) {
		return fmt.Errorf("state directory %q: give it an absolute path", dir)
	}
	err := CheckDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return Unusable(err, fmt.Sprintf("state directory %s cannot be created", dir))
		}
		err = CheckDir(dir)
	}
	if err != nil {
		return err
	}
	return tighten(dir, 0o700)
}
