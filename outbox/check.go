package outbox

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// MaxField is the largest string of an event besides its body, and the largest id, in bytes.
	// Real ones are below 100.
	MaxField = 1 << 10
	// MaxRecordLog is the largest Record.Log in bytes: twenty attempts and a response excerpt need
	// a tenth of it.
	MaxRecordLog = 16 << 10
	// MaxConfig is the largest Subscription.Config and lane state, in bytes.
	MaxConfig = 256 << 10
)

// CheckEvents reports why an append cannot be taken whatever the state of the engine; ErrTooLarge
// for sizes.
func CheckEvents(evs []Event) error {
	if len(evs) > MaxBatch {
		return fmt.Errorf("append of %d events (at most %d a call): %w", len(evs), MaxBatch, ErrTooLarge)
	}
	for i := range evs {
		e := &evs[i]
		if e.Key == "" {
			return fmt.Errorf("append of event %d of the call: it has no key", i)
		}
		if len(e.Body) > MaxBody {
			return fmt.Errorf("append of %s: body of %d bytes (at most %d): %w", e.Key, len(e.Body), MaxBody, ErrTooLarge)
		}
		if max(len(e.Key), len(e.Name), len(e.Chat), len(e.ChatAlt), len(e.Account), len(e.Message)) > MaxField {
			return fmt.Errorf("append of event %d of the call: key, name, chat, its other address, account or message id above %d bytes: %w", i, MaxField, ErrTooLarge)
		}
	}
	return nil
}

// CheckChange reports why a change cannot be taken whatever the state of the engine; ErrTooLarge
// for sizes, those of its audit records included.
func CheckChange(c Change) error {
	if len(c.Set) > MaxChange {
		return fmt.Errorf("change of %s with %d records (at most %d): %w", c.Sub, len(c.Set), MaxChange, ErrTooLarge)
	}
	if len(c.Lane) > MaxConfig {
		return fmt.Errorf("change of %s: lane state of %d bytes (at most %d): %w", c.Sub, len(c.Lane), MaxConfig, ErrTooLarge)
	}
	if err := CheckAudit(c.Audit); err != nil {
		return fmt.Errorf("change of %s: %w", c.Sub, err)
	}
	for _, r := range c.Set {
		switch {
		case r.Seq == 0:
			return fmt.Errorf("change of %s: a record has no sequence", c.Sub)
		case r.State > Dead:
			return &TransitionError{Sub: c.Sub, Seq: r.KeySeq(), From: Done, To: r.State}
		case r.Last != 0 && r.Last <= r.Seq:
			return fmt.Errorf("change of %s: run %d–%d is empty", c.Sub, r.Seq, r.Last)
		case r.IsRun() && r.State == Pending:
			return fmt.Errorf("change of %s: a run cannot be pending", c.Sub)
		case r.IsRun() && r.State == Dead && r.Count < 1:
			return fmt.Errorf("change of %s: run %d–%d has no count", c.Sub, r.Seq, r.Last)
		case len(r.Log) > MaxRecordLog || len(r.Reason) > MaxField:
			return fmt.Errorf("change of %s: record %d has a log above %d or a reason above %d bytes: %w", c.Sub, r.Seq, MaxRecordLog, MaxField, ErrTooLarge)
		}
	}
	return nil
}

// CheckSubscription reports why a subscription cannot be stored whatever the state of the engine.
func CheckSubscription(s Subscription) error {
	switch {
	case s.ID == "":
		return errors.New("subscription has no id")
	case len(s.ID) > MaxField || len(s.Config) > MaxConfig:
		return fmt.Errorf("subscription with an id of %d and a configuration of %d bytes: %w", len(s.ID), len(s.Config), ErrTooLarge)
	case strings.ContainsRune(string(s.ID), 0):
		return fmt.Errorf("subscription %q: a zero byte in the id", s.ID)
	case len(s.Epochs) == 0:
		return fmt.Errorf("subscription %s has no filter epoch", s.ID)
	}
	return nil
}

// CheckSend reports why a send cannot be stored whatever the state of the engine.
func CheckSend(s Send) error {
	if err := CheckAudit(s.Audit); err != nil {
		return fmt.Errorf("send %s: %w", s.MessageID, err)
	}
	switch {
	case s.MessageID == "":
		return errors.New("send has no message id")
	case len(s.MessageID) > MaxField || len(s.IdempotencyKey) > MaxField || len(s.Chat) > MaxField:
		return fmt.Errorf("send: message id, idempotency key or chat above %d bytes: %w", MaxField, ErrTooLarge)
	case len(s.Content) > MaxBody || len(s.Result) > MaxBody:
		return fmt.Errorf("send %s: content or result above %d bytes: %w", s.MessageID, MaxBody, ErrTooLarge)
	case s.State > SendFailed:
		return fmt.Errorf("send %s: state %d does not exist", s.MessageID, s.State)
	case (s.State == SendPrepared) != s.SettledAt.IsZero():
		return fmt.Errorf("send %s is %s but settled at %v", s.MessageID, s.State, s.SettledAt)
	}
	return nil
}
