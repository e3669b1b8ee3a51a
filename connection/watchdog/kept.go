package watchdog

import (
	"encoding/json"
	"fmt"
	"time"
)

// learned is one silence as it is written.
type learned struct {
	Hour    int   `json:"hour"`
	Day     int   `json:"day"`     // since 1970
	Seconds int64 `json:"seconds"` // rounded up
}

// Learned returns what is known of the account's silences, for Restore after a restart; nil while
// that is nothing.
func (w *Watchdog) Learned() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []learned
	for hour, days := range w.longest {
		for _, s := range days {
			if s.day != 0 {
				list = append(list, learned{hour, s.day, int64((s.time + time.Second - 1) / time.Second)})
			}
		}
	}
	if list == nil {
		return nil
	}
	raw, _ := json.Marshal(list) // numbers always have a form
	return raw
}

// Restore takes over what Learned returned. What cannot be read is an error, and changes nothing.
func (w *Watchdog) Restore(raw []byte) error {
	var list []learned
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("read how long the account is silent: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range list {
		if l.Hour < 0 || l.Hour >= len(w.longest) || l.Day <= 0 || l.Seconds < 0 || l.Seconds > days*24*60*60 {
			continue
		}
		s := &w.longest[l.Hour][l.Day%days]
		if s.day < l.Day {
			*s = silence{day: l.Day, time: time.Duration(l.Seconds) * time.Second}
		}
	}
	return nil
}
