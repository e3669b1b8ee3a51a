package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"waoutbox/cmd/internal/explain"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// keyMark is where the outbox notes which key its secrets were sealed with.
type keyMark interface {
	CheckKey(k *store.Key) (marked bool, err error)
	MarkKey(ctx context.Context, k *store.Key) error
}

// keyring is the key that seals the webhooks' secrets and custom headers, and what is done while
// its file is missing beside sealed ones, is another one, or no key at all: nothing is opened, so
// that the webhooks whose settings it sealed are held, unsigned ones too; the file is looked for at
// every use, so that putting it back is enough; and a secret that is set anew is sealed with a new
// key, or the one that is there. Safe for concurrent use.
type keyring struct {
	path string
	mark keyMark
	log  *slog.Logger

	mu      sync.Mutex
	key     *store.Key // nil while the file cannot be used
	missing error      // why key is nil
	// key, while the outbox is not marked with it: see note
	unmarked *store.Key
	since    time.Time
}

// openKeyring reads the key, or makes one when sealed, which is asked only when the key is missing
// or another one, says that nothing was sealed yet. Such a key is no error, nor is a file that is
// no key, which is left as it is; one that cannot be read, or that others may write, is.
func openKeyring(ctx context.Context, path string, mark keyMark, sealed func() (bool, error), log *slog.Logger) (*keyring, error) {
	k := &keyring{path: path, mark: mark, log: log}
	err := k.read(false)
	if errors.Is(err, store.KeyMissing) || errors.Is(err, store.OtherKey) {
		some, serr := sealed()
		if serr != nil {
			return nil, serr
		}
		if !some {
			err = k.read(true)
		}
	}
	k.note(ctx)
	if errors.Is(err, store.KeyMissing) || errors.Is(err, store.OtherKey) || errors.Is(err, store.WrongKey) {
		k.since = time.Now()
		return k, nil
	}
	return k, err
}

// logMissing has the log of a service say that the key cannot be used. Of a command the alarm and
// the state of each webhook say so.
func (k *keyring) logMissing() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.missing != nil {
		k.log.Error("the key cannot be used: the webhooks that it sealed are held, unsigned ones too", "error", explain.State(k.missing))
	}
}

// read reads the key file. With anew it makes one when there is none, and takes another one than
// the outbox was marked with. It writes nothing to the outbox: audit calls it in a commit. The
// caller holds mu, or is alone.
func (k *keyring) read(anew bool) error {
	k.key, k.missing, k.unmarked = nil, nil, nil
	key, err := store.OpenKey(k.path, !anew)
	marked := false
	if err == nil {
		marked, err = k.mark.CheckKey(key)
	}
	if anew && errors.Is(err, store.OtherKey) {
		marked, err = false, key.UnsettleAudit()
	}
	if err == nil && !marked {
		k.unmarked = key
	}
	if k.missing = err; err == nil {
		k.key = key
	}
	return err
}

// note marks the outbox with the key that read has found, where it is not. The caller does not hold
// mu: the commit that it waits for may want the key.
func (k *keyring) note(ctx context.Context) {
	k.mu.Lock()
	key := k.unmarked
	k.unmarked = nil
	k.mu.Unlock()
	if key == nil {
		return
	}
	if err := k.mark.MarkKey(ctx, key); err != nil { // the next start does it
		k.log.Warn("the outbox was not marked with its key", "error", err)
	}
}

// unseal opens a sealed secret. When the key in memory does not fit, the file is looked at again:
// it may have been put back since.
func (k *keyring) unseal(sealed []byte, owner string) ([]byte, error) {
	defer k.note(context.Background()) // when mu is free
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil {
		if err := k.read(false); err != nil {
			return nil, k.putBack(err)
		}
		k.log.Info("key file found again: held webhooks go on")
	}
	plain, err := k.key.Open(sealed, owner)
	if err == nil {
		return plain, nil
	}
	if onDisk, lost := store.OpenKey(k.path, true); lost == nil {
		if plain, wrong := onDisk.Open(sealed, owner); wrong == nil {
			k.key = onDisk
			k.log.Info("key file changed: what was sealed with it can be opened")
			return plain, nil
		}
	}
	return nil, k.putBack(err)
}

// putBack adds to why something cannot be opened what to do; which command sets it again, the
// caller knows.
func (k *keyring) putBack(err error) error {
	return fmt.Errorf("%w. Put the %s it was sealed with back, or set it again", err, k.path)
}

// seal closes a secret that is set now. Without a key it makes one: what was sealed with the lost
// one stays held.
func (k *keyring) seal(plain []byte, owner string) ([]byte, error) {
	defer k.note(context.Background()) // when mu is free
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil {
		if err := k.read(true); err != nil {
			return nil, explain.State(err)
		}
		k.log.Warn("a secret was set while the key was missing or another one: it is sealed with the key that is there now. Webhooks sealed with the one before stay held until their secret is set again")
	}
	return k.key.Seal(plain, owner)
}

// unsettled returns the key when not all that must be sealed with it is known to be; else nil.
func (k *keyring) unsettled() *store.Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil || k.key.Settled() {
		return nil
	}
	return k.key
}

// audit returns what seals the audit trail; nil while the key cannot be used. It may be called in a
// commit: nothing waits for one while it holds mu.
func (k *keyring) audit() outbox.AuditSealer {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil && k.read(false) != nil {
		return nil
	}
	return k.key
}

// alarms tells of a key that cannot be used.
func (k *keyring) alarms() []api.Alarm {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.missing == nil {
		return nil
	}
	code := "key_missing"
	if errors.Is(k.missing, store.OtherKey) || errors.Is(k.missing, store.WrongKey) {
		code = "key_wrong"
	}
	return []api.Alarm{{Code: code, Since: k.since.UTC(),
		Message: fmt.Sprintf("%v; the webhooks that it sealed are held, unsigned ones too, so that nothing is sent where somebody else says", explain.State(k.missing))}}
}
