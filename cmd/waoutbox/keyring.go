package main

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"waoutbox/outbox/api"
	"waoutbox/store"
)

// keyring is the key that seals the webhooks' secrets and custom headers, and what is done while its file is missing beside sealed
// ones: nothing is opened, so that webhooks with a secret or custom headers are held; the file is looked for at every use, so that
// putting it back is enough; and a secret that is set anew is sealed with a new key. Safe for concurrent use.
type keyring struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	key     *store.Key // nil while the file is missing
	missing error      // why key is nil
	since   time.Time
}

// openKeyring reads the key, or makes one when nothing was sealed yet. A missing key is no error; one that cannot be used is.
func openKeyring(path string, sealed bool, log *slog.Logger) (*keyring, error) {
	k := &keyring{path: path, log: log}
	err := k.look(sealed)
	if errors.Is(err, store.ErrKeyMissing) {
		k.since = time.Now()
		log.Error("key file missing: webhooks with a secret or custom headers are held", "error", err)
		return k, nil
	}
	return k, err
}

// look reads the key file; with sealed false it makes one when there is none. The caller holds mu, or is alone.
func (k *keyring) look(sealed bool) error {
	k.key, k.missing = nil, nil
	if k.key, k.missing = store.OpenKey(k.path, sealed); k.missing != nil {
		k.key = nil
	}
	return k.missing
}

// unseal opens a sealed secret.
func (k *keyring) unseal(sealed []byte, context string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil {
		if err := k.look(true); err != nil {
			return nil, err
		}
		k.log.Info("key file found again: held webhooks go on")
	}
	plain, err := k.key.Open(sealed, context)
	if err != nil {
		return nil, fmt.Errorf("%w. Put the %s it was sealed with back and restart, or set the secret again", err, k.path)
	}
	return plain, nil
}

// seal closes a secret that is set now. Without a key it makes one: what was sealed with the lost one stays held.
func (k *keyring) seal(plain []byte, context string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key == nil {
		if err := k.look(false); err != nil {
			return nil, err
		}
		k.log.Warn("a secret was set while the key file was missing: sealed with a new key. Webhooks sealed with the lost one stay held until their secret is set again")
	}
	return k.key.Seal(plain, context)
}

// alarms tells of a missing key.
func (k *keyring) alarms() []api.Alarm {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.missing == nil {
		return nil
	}
	return []api.Alarm{{Code: "key_missing", Since: k.since.UTC(),
		Message: fmt.Sprintf("%v; webhooks with a secret or custom headers are held, nothing is sent unsigned", k.missing)}}
}
