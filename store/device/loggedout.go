package device

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// loggedOutName is under what is kept that an account was logged out.
const loggedOutName = "logged_out"

// loggedOut is the value of it.
type loggedOut struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// LoggedOut returns why and since when the account that was linked is no longer, as SetLoggedOut
// stored it; the zero time if nothing was. It says nothing once an account is linked again, and
// Renew forgets it.
func (s *Store) LoggedOut(ctx context.Context) (reason string, since time.Time, err error) {
	raw, err := s.Kept(ctx, loggedOutName)
	if err != nil || raw == nil {
		return "", time.Time{}, err
	}
	var out loggedOut
	if err := json.Unmarshal(raw, &out); err != nil {
		return "", time.Time{}, fmt.Errorf("the device store has a log-out that cannot be read: %w", err)
	}
	return out.Reason, out.Since, nil
}

// SetLoggedOut stores that the account was logged out, durably.
func (s *Store) SetLoggedOut(ctx context.Context, reason string, since time.Time) error {
	raw, err := json.Marshal(loggedOut{reason, since})
	if err != nil {
		return err
	}
	return s.Keep(ctx, loggedOutName, raw)
}
