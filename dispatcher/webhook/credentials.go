package webhook

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// credentials are what a webhook's sealed secrets and headers hold, opened. Immutable.
type credentials struct {
	sealedSecret   []byte
	sealedPrevious []byte
	sealedHeaders  []byte
	seal           []byte
	binding        outbox.Binding // that was compared with seal

	sign     *signer // nil for an unsigned webhook
	previous *signer // of a rotation; nil for none, and when it is over and cannot be opened
	until    time.Time
	headers  http.Header // nil for none
	hide     *redactor
	head     *head
}

// unseal opens sealed bytes; sealedAs is outbox.SecretContext, outbox.PreviousContext or
// outbox.HeadersContext.
type unseal func(sealed []byte, sealedAs string) ([]byte, error)

// credentials opens what the webhook's configuration holds sealed. What was opened is kept while
// its sealed form stays the same.
func (c *client) credentials(r *dispatcher.Request, now time.Time, sealed bool, open unseal) (*credentials, error) {
	sub, w := r.Sub, &r.Webhook
	if cred := c.opened.Load(); cred != nil && cred.of(r) {
		return cred, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.opened.Load()
	if last == nil {
		last = &credentials{}
	} else if last.of(r) {
		return last, nil
	}
	next, err := last.change(sub, w, now, open)
	if err != nil {
		return nil, err
	}
	if sealed {
		if err := outbox.CheckSeal(sub, *w, r.Binding, open); err != nil {
			return nil, fmt.Errorf("nothing is sent until this webhook is added again: %w", err)
		}
	}
	next.seal, next.binding = bytes.Clone(w.Seal), r.Binding
	next.hide = newRedactor(c.url.Query(), next.headers, next.sign, next.previous)
	next.head = newHead(c.url, c.userAgent, sub, next)
	c.opened.Store(next)
	return next, nil
}

// change returns the credentials of w, with what is the same as before.
func (c *credentials) change(sub outbox.SubID, w *outbox.Webhook, now time.Time, open unseal) (*credentials, error) {
	next := *c
	if !bytes.Equal(next.sealedSecret, w.Secret) {
		sign, err := openSecret(w.Secret, outbox.SecretContext(sub), open)
		if err != nil {
			return nil, fmt.Errorf("the signing secret cannot be opened, and nothing is sent unsigned: %w", err)
		}
		next.sealedSecret, next.sign = bytes.Clone(w.Secret), sign
	}
	if !bytes.Equal(next.sealedPrevious, w.PreviousSecret) || !next.until.Equal(w.PreviousUntil) {
		previous, err := openSecret(w.PreviousSecret, outbox.PreviousContext(sub), open)
		// When the rotation is over, its secret signs nothing: it only is hidden where it can be.
		if err != nil && now.Before(w.PreviousUntil) {
			return nil, fmt.Errorf("the secret before the rotation cannot be opened, and nothing is sent without its signature"+
				" while both count: %w", err)
		}
		next.sealedPrevious, next.previous, next.until = bytes.Clone(w.PreviousSecret), previous, w.PreviousUntil
	}
	if !bytes.Equal(next.sealedHeaders, w.Headers) {
		headers, err := openHeaders(w.Headers, outbox.HeadersContext(sub), open)
		if err != nil {
			return nil, fmt.Errorf("the custom headers cannot be opened, and nothing is sent without them"+
				" (set them again, or remove them with --no-headers): %w", err)
		}
		next.sealedHeaders, next.headers = bytes.Clone(w.Headers), headers
	}
	return &next, nil
}

// of reports whether the credentials are those of r's webhook.
func (c *credentials) of(r *dispatcher.Request) bool {
	w := &r.Webhook
	return c.binding == r.Binding && bytes.Equal(c.seal, w.Seal) && bytes.Equal(c.sealedSecret, w.Secret) && bytes.Equal(c.sealedHeaders, w.Headers) &&
		bytes.Equal(c.sealedPrevious, w.PreviousSecret) && c.until.Equal(w.PreviousUntil)
}

// signers returns the secrets that count now, the current one first; both are nil for an unsigned
// webhook.
func (c *credentials) signers(now time.Time) (current, previous *signer) {
	if c.sign == nil || !now.Before(c.until) {
		return c.sign, nil
	}
	return c.sign, c.previous
}

// openSecret returns nil for an empty secret.
func openSecret(sealed []byte, sealedAs string, open unseal) (*signer, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	secret, err := open(sealed, sealedAs)
	if err != nil {
		return nil, err
	}
	return newSigner(secret), nil
}

func openHeaders(sealed []byte, sealedAs string, open unseal) (http.Header, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := open(sealed, sealedAs)
	if err != nil {
		return nil, err
	}
	return parseHeaders(plain)
}
