// Package explain makes the sentence a person reads of what is wrong with the state: what it is,
// and how to mend it. The packages that find it know neither commands nor flags.
package explain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"waoutbox/cmd/internal/term"
	"waoutbox/store"
	"waoutbox/store/private"
)

// UnusableError says in one sentence why the state, or a file in it, cannot be used and how to mend
// it. What was found is in its chain.
type UnusableError struct {
	text string
	err  error
}

func (e *UnusableError) Error() string { return e.text }
func (e *UnusableError) Unwrap() error { return e.err }

// Refuse makes an UnusableError of a whole sentence.
func Refuse(format string, args ...any) error {
	return &UnusableError{text: fmt.Sprintf(format, args...)}
}

// Unusable makes err, met while a file of the state was used, an UnusableError: what was done, why
// it failed, how to mend it. Names of temporary files in err are not shown.
func Unusable(err error, what string) error {
	return &UnusableError{text: what + ": " + store.Reason(err) + systemAdvice(err), err: err}
}

// State adds the advice to an error of store: the result's text is a sentence for a person and its
// chain holds err. Other errors, nil among them, come back as they are.
func State(err error) error {
	e, ok := errors.AsType[*store.Error](err)
	if !ok {
		return err
	}
	if _, done := errors.AsType[*UnusableError](err); done {
		return err
	}
	switch e.Kind {
	case store.Owned:
		return &sentenceError{text: fmt.Sprintf("%v. Talk to it: %s. Stop it: %s", e, term.Command(e.Path, "status"), term.Command(e.Path, "stop")), err: err}
	case store.Full, store.Closed, store.Unknown, store.Missing, store.NoPlace, store.NotAbsolute:
		return &sentenceError{text: e.Error() + advice(e), err: err}
	}
	return &UnusableError{text: e.Error() + advice(e), err: err}
}

// Directory adds the advice to an error of the package private about a directory of the state.
func Directory(err error) error {
	return State(store.DirectoryError(err))
}

// sentenceError is an error in words for a person.
type sentenceError struct {
	text string
	err  error
}

func (e *sentenceError) Error() string { return e.text }
func (e *sentenceError) Unwrap() error { return e.err }

// setSecrets is the command that seals a webhook's secret anew; key is the path of the key file.
func setSecrets(key string) string {
	return term.Command(filepath.Dir(key), "webhook add WEBHOOK --secret-file FILE")
}

// advice is what follows the fact, beginning with the mark that parts them.
func advice(e *store.Error) string {
	switch e.Kind {
	case store.OtherOwner:
		if below := filepath.Join(e.Path, "waoutbox"); private.MayMake(below) { // as a volume is
			return ": name a place of your own with --state-dir, such as one below it, which is made: " + term.Quote(below)
		}
		if private.InVolume(e.Path) {
			return fmt.Sprintf(": run it as that user, or give this one all of it: chown -R %d %s", os.Geteuid(), term.Quote(e.Path))
		}
		return ": name a place of your own with --state-dir"
	case store.Forbidden:
		if private.InContainer() {
			return fmt.Sprintf(". Give that directory to user %d (chown where the volume is kept; in Kubernetes with fsGroup), or name another place with --state-dir", os.Geteuid())
		}
		return fmt.Sprintf(". Name another place with --state-dir, or have it made: sudo install -d -m 700 -o %d %s", os.Geteuid(), term.Quote(e.Path))
	case store.Writable:
		return ": run: chmod go-w " + term.Quote(e.Path)
	case store.Irregular:
		return ": move it away"
	case store.NotDirectory:
		return ": name another one with --state-dir"
	case store.NoPlace:
		return "; name a directory with --state-dir"
	case store.InUse:
		return "; close that one"
	case store.Damaged:
		return ". Restore a backup: " + term.Command(filepath.Dir(e.Path), "restore FILE") + ". Without one, set the file aside: " +
			term.Command(filepath.Dir(e.Path), "doctor --quarantine")
	case store.NewerFormat:
		return ": use the version that wrote it, or a newer one"
	case store.Missing:
		return ". Begin one with: " + term.Command(e.Path, "webhook add URL") + ", or start the service: " + term.Command(e.Path, "start")
	case store.Lost:
		return ". Restore a backup: " + term.Command(filepath.Dir(e.Path), "restore FILE") + ". To begin an empty one, which knows no webhook and may store again what was delivered before: " +
			term.Command(filepath.Dir(e.Path), "serve --new-outbox")
	case store.KeyMissing:
		return "; put it back from a backup, or set the secrets again: " + setSecrets(e.Path)
	case store.OtherKey:
		return "; put the right file back from a backup, or set the secrets again: " + setSecrets(e.Path)
	case store.WrongKey:
		return ": put the right file back from a backup, or, if it is lost, move this one away and set the secrets again: " + setSecrets(e.Path)
	case store.System:
		return systemAdvice(e)
	}
	return ""
}

// systemAdvice says what to do about a file the system refused.
func systemAdvice(err error) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return ". Mount it writable, or name another place with --state-dir"
	case store.DiskFull(err):
		return ". Make space, then run it again"
	case errors.Is(err, syscall.ENAMETOOLONG):
		return ". Name a shorter one with --state-dir"
	case errors.Is(err, syscall.ENOTDIR):
		return ". Name another place with --state-dir"
	case errors.Is(err, syscall.EISDIR):
		return ". Move it away"
	case errors.Is(err, fs.ErrPermission):
		return ". Run it as the user that owns it, mend the permissions, or name another place with --state-dir"
	case errors.Is(err, syscall.EIO):
		return ". Look into the system's log"
	}
	return ""
}
