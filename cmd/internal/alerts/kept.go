package alerts

import (
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"waoutbox/store"
	"waoutbox/store/private"
)

// maxKept bounds the file of what is under way.
const maxKept = 1 << 20

// kept is the file of what is under way, so that what a service told is over for the endpoint also
// when that is so after a restart.
type kept struct {
	Up      []Data    `json:"up,omitempty"`      // told, and not yet over
	Waiting []Message `json:"waiting,omitempty"` // not yet told
}

// load takes up what the service before this one told. A file that cannot be read is none.
func (a *Alerts) load(now time.Time) {
	raw, err := private.Read(a.o.Path, maxKept)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			a.o.Log.Warn("what the alert-webhook was told before is not known", "error", err)
		}
		return
	}
	var k kept
	if err := json.Unmarshal(raw, &k); err != nil {
		a.o.Log.Warn("what the alert-webhook was told before is not known", "error", err)
		return
	}
	a.wait = k.Waiting
	for _, d := range k.Up {
		a.told[key{d.Code, d.Webhook}] = &state{data: d, up: true, told: true, changed: now}
	}
	a.saved = string(raw)
}

// save writes what is under way, if it is other than what was written last.
func (a *Alerts) save() {
	k := kept{Waiting: a.wait}
	for _, s := range a.sorted() {
		if s.told {
			k.Up = append(k.Up, s.data)
		}
	}
	raw, err := json.Marshal(k)
	if err != nil || string(raw) == a.saved {
		return
	}
	if err := store.WriteFile(a.o.Path, raw); err != nil {
		if !a.unsaved {
			a.o.Log.Warn("what the alert-webhook was told cannot be kept over a restart", "error", err)
		}
		a.unsaved = true
		return
	}
	a.saved, a.unsaved = string(raw), false
}
