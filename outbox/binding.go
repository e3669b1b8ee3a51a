package outbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Binding is what the settings of a webhook come to: a hash of those that decide where its events
// go, how they are signed and what goes with them, then one of each of its filters, oldest first.
// It is stored sealed (SettingsContext) beside the settings, so that a database that was edited
// without the key is noticed.
type Binding string

const (
	settingsSum = sha256.Size
	filterSum   = 16
)

// SettingsContext is the associated data a webhook's Binding is sealed with.
func SettingsContext(id SubID) string { return string(id) + "/settings" }

// Bind returns the Binding of a subscription and its configuration. The version of the record and
// what only sets a pace are not part of it, nor are filters that match nothing, or the same as the
// one before: a webhook that was removed and comes back is what it was.
func Bind(s Subscription, w Webhook) (Binding, error) {
	kept := Filter{}
	if w.Filter != nil {
		kept = *w.Filter
	}
	var lease []byte
	if w.Lease != nil {
		one := *w.Lease
		one.Ends, one.VerifiedAt = one.Ends.UTC().Round(0), one.VerifiedAt.UTC().Round(0)
		var err error
		if lease, err = json.Marshal(one); err != nil {
			return "", fmt.Errorf("bind the lease of a webhook: %w", err)
		}
	}
	settings, err := json.Marshal(struct { // its members and their order never change
		URL           string
		AllowInsecure bool
		CA            string
		Secret        string // as they are sealed
		Previous      string
		PreviousUntil time.Time
		Headers       string
		HeaderNames   []string
		Removed       bool
		Kept          [4][]string
		Lease         string `json:",omitempty"` // nothing of an ordinary webhook
	}{
		w.URL, w.AllowInsecureHTTP, string(w.CA), hex.EncodeToString(w.Secret), hex.EncodeToString(w.PreviousSecret), w.PreviousUntil.UTC(), hex.EncodeToString(w.Headers),
		noneIsEmpty(w.HeaderNames), s.Removed, kept.lists(), string(lease),
	})
	if err != nil {
		return "", fmt.Errorf("bind the settings of a webhook: %w", err)
	}
	sum := sha256.Sum256(settings)
	b := append(make([]byte, 0, settingsSum+len(s.Epochs)*filterSum), sum[:]...)
	last := ""
	for _, e := range s.Epochs {
		filter, err := json.Marshal(e.Filter.lists())
		if err != nil {
			return "", fmt.Errorf("bind the filter of a webhook: %w", err)
		}
		if sum := sha256.Sum256(filter); len(e.Filter.Events) > 0 && string(sum[:filterSum]) != last {
			last = string(sum[:filterSum])
			b = append(b, last...)
		}
	}
	return Binding(b), nil
}

// lists returns what a filter is made of. None and an empty list are the same.
func (f Filter) lists() [4][]string {
	return [4][]string{noneIsEmpty(f.Events), noneIsEmpty(f.Chats), noneIsEmpty(f.NotChats), noneIsEmpty(f.Kinds)}
}

func noneIsEmpty(list []string) []string { return append([]string{}, list...) }

// Covers reports whether what was sealed as b may have become now by itself: the same settings, the
// same newest filter, and of the filters before it none that b does not have. Engines drop those
// that nobody needs.
func (b Binding) Covers(now Binding) bool {
	if len(b) < settingsSum || len(now) < settingsSum || b[:settingsSum] != now[:settingsSum] {
		return false
	}
	sealed, found := b[settingsSum:], now[settingsSum:]
	if len(found) > 0 && !strings.HasSuffix(string(sealed), string(found[len(found)-filterSum:])) {
		return false
	}
	for len(found) > 0 && len(sealed) > 0 {
		if sealed[:filterSum] == found[:filterSum] {
			found = found[filterSum:]
		}
		sealed = sealed[filterSum:]
	}
	return len(found) == 0
}

// ErrSeal is the error of CheckSeal for settings that are not those that were sealed.
var ErrSeal = errors.New("its settings are not the ones that were stored with its seal: the database was changed by something else than waoutbox")

// SealSettings stores w in s, with its seal.
func SealSettings(s *Subscription, w *Webhook, seal func(plain []byte, context string) ([]byte, error)) error {
	b, err := Bind(*s, *w)
	if err != nil {
		return err
	}
	if w.Seal, err = seal([]byte(b), SettingsContext(s.ID)); err != nil {
		return fmt.Errorf("seal the settings of a webhook: %w", err)
	}
	s.Config, err = EncodeWebhook(*w)
	return err
}

// CheckSeal returns nil when the seal of w covers b, the Binding as it is now; an error that wraps
// ErrSeal when it does not, or there is none; or why it cannot be opened.
func CheckSeal(id SubID, w Webhook, b Binding, unseal func(sealed []byte, context string) ([]byte, error)) error {
	if len(w.Seal) == 0 {
		return ErrSeal
	}
	plain, err := unseal(w.Seal, SettingsContext(id))
	if err != nil {
		return err
	}
	if !Binding(plain).Covers(b) {
		return ErrSeal
	}
	return nil
}
