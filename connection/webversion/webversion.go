// Package webversion keeps the version of WhatsApp Web that the link says it is. WhatsApp refuses
// versions that have become old; then the current one is asked for, at most once an hour, and taken
// over, which holds over restarts until the program itself is newer.
package webversion

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/store"
)

// Pause is the least time between two questions.
const Pause = time.Hour

// Store keeps what outlives the process: the version that was taken over, three numbers with dots,
// and when WhatsApp was last asked, answer or not. "" and the zero time mean that nothing was.
type Store interface {
	WebVersion(ctx context.Context) (version string, asked time.Time, err error)
	SetWebVersion(ctx context.Context, version string, asked time.Time) error
}

// Options are what an Updater needs. All are required.
type Options struct {
	Store Store
	// Latest asks WhatsApp for the current version.
	Latest func(ctx context.Context) (*store.WAVersionContainer, error)
	Now    func() time.Time
}

// Updater keeps the version up to date, which the library has once for the whole process. Call it
// only while the library does not connect. Note is safe for concurrent use with everything.
type Updater struct {
	o     Options
	own   store.WAVersionContainer // the library's, before anything was taken over
	taken string                   // over, "" if nothing was
	asked time.Time                // last

	mu   sync.Mutex
	note string
}

// New makes an Updater and changes nothing.
func New(o Options) *Updater { return &Updater{o: o, own: store.GetWAVersion()} }

// Load takes over the version that was taken over before, if it is newer than the library's.
func (k *Updater) Load(ctx context.Context) error {
	var err error
	if k.taken, k.asked, err = k.o.Store.WebVersion(ctx); err != nil {
		return fmt.Errorf("read WhatsApp Web's version: %w", err)
	}
	v, err := store.ParseVersion(k.taken)
	if err != nil || !store.GetWAVersion().LessThan(v) {
		return nil //nolint:nilerr // none, or one that this program does not know, which is the same
	}
	k.use(v)
	return nil
}

// Result is what became of asking for the current version.
type Result int

// The results of Renew.
const (
	Renewed Result = iota // a newer version was taken over
	Newest                // there is none
	TooSoon               // WhatsApp was asked less than an hour ago, and not again
	Failed                // it could not be asked
)

// Renew asks for the current version, unless that was less than an hour ago, and takes it over when
// it is newer. Otherwise it makes no sense to try again before retry. An error is a failure to ask,
// or to keep what was taken over.
func (k *Updater) Renew(ctx context.Context) (result Result, retry time.Time, err error) {
	now := k.o.Now()
	if next := k.asked.Add(Pause); now.Before(next) && !k.asked.After(now) {
		return TooSoon, next, nil
	}
	k.asked, result = now, Newest
	latest, err := k.o.Latest(ctx)
	if err != nil {
		result, err = Failed, fmt.Errorf("ask for WhatsApp Web's current version: %w", err)
	} else if store.GetWAVersion().LessThan(*latest) {
		result = Renewed
		k.use(*latest)
		k.taken = latest.String()
	}
	if serr := k.o.Store.SetWebVersion(ctx, k.taken, k.asked); serr != nil && err == nil {
		err = fmt.Errorf("keep WhatsApp Web's version: %w", serr)
	}
	return result, now.Add(Pause), err
}

func (k *Updater) use(v store.WAVersionContainer) {
	store.SetWAVersion(v)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note = fmt.Sprintf("WhatsApp Web's version %s is used instead of %s, which WhatsApp no longer accepts", v, k.own)
}

// Note says which version is used if it is not the library's, "" otherwise.
func (k *Updater) Note() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.note
}
