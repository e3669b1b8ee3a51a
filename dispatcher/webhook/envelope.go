package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// Control envelopes tell the receiver of a lease of the lease itself. They have a type, which
// occurrences do not.
const (
	envelopeVerification = "verification"
	envelopeGap          = "gap"
	envelopeTerminated   = "terminated"
)

const (
	// challengeTime bounds a challenge, terminatedTime what is told once and for all.
	challengeTime  = 10 * time.Second
	terminatedTime = 5 * time.Second
	// maxChallenge bounds what is read of the response to a challenge, in bytes.
	maxChallenge = 4 << 10
)

// ChallengeError says that a receiver did not agree to get events. Class is one of
// outbox.LeaseError…: no address, and nothing of a response.
type ChallengeError struct{ Class string }

func (e *ChallengeError) Error() string {
	return "the receiver did not agree to get events: " + e.Class
}

// Challenge asks the receiver at w's URL whether it wants events: a signed envelope with a random
// challenge, which a 2xx must repeat as {"challenge": …}. It goes through the same checks of the
// address as a delivery, follows no redirect, is made once, and ends within 10 s. secret is in
// plain, as the client gave it, since nothing is stored yet; w needs its URL, and a Lease where it
// is to be Public. It returns nil when the receiver agreed, else a *ChallengeError, or ctx's error
// when its caller left.
func (s *Sender) Challenge(ctx context.Context, w outbox.Webhook, secret []byte, subscriptionID string) error {
	token := rand.Text()
	body, err := json.Marshal(map[string]string{"type": envelopeVerification, "challenge": token})
	if err != nil {
		return fmt.Errorf("encode a challenge: %w", err)
	}
	left := ctx
	ctx, cancel := context.WithTimeout(ctx, s.challenge)
	defer cancel()
	failed := func(class outbox.Class, status int) error {
		if left.Err() != nil {
			return left.Err()
		}
		return &ChallengeError{Class: outbox.LeaseError(class, status)}
	}
	c, err := newClient(w, s.opt.UserAgent, s.machine, s.opt.Own, s.resolver)
	if err != nil {
		return failed(outbox.ClassAddress, 0)
	}
	defer c.pool.Close()
	m := leaseMessage{id: envelopeID(envelopeVerification), subscription: subscriptionID, body: body}
	now := time.Now()
	head, _, err := m.head(nil, c.url, c.userAgent, now, newSigner(secret), nil)
	if err != nil {
		return failed(outbox.ClassInternal, 0)
	}
	x, err := c.pool.Do(ctx, now.Add(s.challenge), head, body)
	if err != nil {
		class, _ := classify(err)
		return failed(class, 0)
	}
	defer x.Close()
	if x.Status < 200 || x.Status > 299 {
		class := outbox.ClassHTTP
		if x.Status < 400 {
			class = outbox.ClassRedirect
		}
		return failed(class, x.Status)
	}
	if x.Body == nil || !repeats(x.Body, token) {
		return &ChallengeError{Class: outbox.LeaseErrorChallenge}
	}
	return nil
}

// repeats reports whether a response is an object that has the challenge.
func repeats(body io.Reader, token string) bool {
	raw, err := io.ReadAll(io.LimitReader(body, maxChallenge))
	if err != nil {
		return false
	}
	var said struct {
		Challenge string `json:"challenge"`
	}
	if json.Unmarshal(bytes.TrimSpace(raw), &said) != nil {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(said.Challenge), []byte(token)) == 1
}

// Gap tells the receiver of a lease that events before r.Watermark are lost, and that it goes on
// from there. It is one attempt, bounded as Send is.
func (s *Sender) Gap(ctx context.Context, r dispatcher.Request) dispatcher.Result {
	if s.opt.Cursor == nil {
		return dispatcher.Result{Class: outbox.ClassLocal, Message: errNoOccurrence.Error()}
	}
	return s.envelope(ctx, &r, envelopeGap, map[string]any{"cursor": s.opt.Cursor(r.Watermark)})
}

// Terminated tells the receiver of a lease, best effort and within 5 s, that nothing comes any
// more: failure is what the extension calls its error. sub and w are the lease as it was stored
// until now, with its seal. Its lane may have ended before, so that nothing is kept for it.
func (s *Sender) Terminated(ctx context.Context, sub outbox.Subscription, w outbox.Webhook, failure any) error {
	ctx, cancel := context.WithTimeout(ctx, terminatedTime)
	defer cancel()
	binding, err := outbox.Bind(sub, w)
	if err != nil {
		return err
	}
	defer s.Forget(sub.ID)
	res := s.envelope(ctx, &dispatcher.Request{Sub: sub.ID, Webhook: w, Binding: binding}, envelopeTerminated, map[string]any{"error": failure})
	if res.Class != outbox.ClassOK {
		return fmt.Errorf("tell the receiver of %s that its lease has ended: %s", sub.ID, res.Message)
	}
	return nil
}

// envelope sends one control envelope to the receiver of a lease.
func (s *Sender) envelope(ctx context.Context, r *dispatcher.Request, kind string, with map[string]any) dispatcher.Result {
	with["type"] = kind
	body, err := json.Marshal(with)
	if err != nil {
		return dispatcher.Result{Class: outbox.ClassInternal, Message: bounded(err.Error())}
	}
	return s.send(ctx, r, func() (leaseMessage, error) {
		return leaseMessage{id: envelopeID(kind), subscription: r.Webhook.Lease.ID, body: body}, nil
	})
}

func envelopeID(kind string) string {
	raw := make([]byte, 12)
	_, _ = rand.Read(raw) // it never fails
	return "msg_" + kind + "_" + hex.EncodeToString(raw)
}
