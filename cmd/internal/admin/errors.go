package admin

import (
	"context"
	"errors"
	"fmt"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// apiError turns an error of the outbox into the one a person reads. An unknown one stays as it is:
// the control server logs it and lets only an incident id cross, a command without a daemon prints
// it.
func apiError(err error, doing string) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return api.Retryf(api.CodeTimeout, "%s: not finished in time; run it again", doing)
	case errors.Is(err, outbox.ErrFull):
		return api.Retryf(api.CodeOutboxFull, "%s: the outbox cannot take more (%v). Free disk space, then run it again", doing, err)
	case errors.Is(err, outbox.ErrUnknown):
		return api.Retryf(api.CodeInternal, "%s: the disk did not confirm the write; run it again", doing)
	case errors.Is(err, outbox.ErrClosed):
		return api.Retryf(api.CodeServiceUnavail, "%s: the outbox is closed: the service is stopping or met a fault; see waoutbox status", doing)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// laneError is apiError for what the Dispatcher was asked to do.
func (s *Service) laneError(err error, doing string) error {
	if unknown, ok := errors.AsType[*dispatcher.UnknownLaneError](err); ok {
		return api.Errorf(api.CodeInternal, "%s: %s: %v. %s", doing, unknown.Sub, unknown, s.beginAnew(unknown.Sub))
	}
	return apiError(err, doing)
}

// beginAnew is what to do about a lane that a newer version wrote.
func (s *Service) beginAnew(id outbox.SubID) string {
	return "Use that version, or have it begin anew, which loses no event but forgets whether it was paused or failing: " + s.command("webhook", "resume", string(id))
}

// warn logs what failed after a durable write and returns it as a sentence that stands beside the
// result: what is not done, why, and what mends it.
func (s *Service) warn(ctx context.Context, id outbox.SubID, err error, undone, mend string) string {
	s.o.Log.WarnContext(ctx, "a step after a durable write failed", "webhook", id, "undone", undone, "error", err)
	return fmt.Sprintf("%s (%s). %s", undone, cause(err), mend)
}

// cause says in words why a step failed.
func cause(err error) string {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "it did not finish in time"
	case errors.Is(err, outbox.ErrFull):
		return "the outbox cannot take more: free disk space"
	case errors.Is(err, outbox.ErrUnknown):
		return "the disk did not confirm the write"
	case errors.Is(err, outbox.ErrClosed):
		return "the outbox is closed: the service is stopping or met a fault"
	}
	return err.Error()
}
