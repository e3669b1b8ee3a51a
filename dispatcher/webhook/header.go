package webhook

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"waoutbox/dispatcher"
)

// idempotencyKey is spelled in lower case on purpose: net/http repeats a POST by itself on a broken connection when the
// canonical spelling is present, also after the request was written, and an attempt must be one POST. Header names compare
// without case, so receivers see no difference.
const idempotencyKey = "idempotency-key"

// header builds the headers of one attempt: the webhook's own first, so that ours win. sign is nil for a webhook without a secret.
// The values of custom are shared with other attempts; nothing changes them.
func header(r dispatcher.Request, userAgent string, custom http.Header, sign *signer, now time.Time) http.Header {
	ev := r.Event
	h := make(http.Header, 16+len(custom))
	maps.Copy(h, custom)
	h["Content-Type"] = []string{"application/json"}
	h["User-Agent"] = []string{userAgent}
	h["X-Webhook-Id"] = []string{ev.Key}
	h["X-Webhook-Event"] = []string{ev.Name}
	h["X-Webhook-Attempt"] = []string{strconv.Itoa(r.Attempt)}
	h["X-Webhook-Subscription"] = []string{string(r.Sub)}
	h["X-Webhook-Sequence"] = []string{strconv.FormatUint(uint64(ev.Seq), 10)}
	h[idempotencyKey] = []string{ev.Key}
	if ev.Account != "" {
		h["X-Webhook-Account"] = []string{ev.Account}
	}
	if r.Replay > 0 {
		h["X-Webhook-Replay"] = []string{strconv.Itoa(r.Replay)}
	}
	if sign != nil {
		h["X-Webhook-Signature"] = []string{sign.signature(ev.Body)}
		h["Webhook-Id"] = []string{ev.Key}
		h["Webhook-Timestamp"] = []string{strconv.FormatInt(now.Unix(), 10)}
		h["Webhook-Signature"] = []string{sign.standardSignature(ev.Key, now, ev.Body)}
	}
	return h
}

// maxRetryAfter bounds what is believed at all; the dispatcher caps it further. It only keeps the arithmetic in range.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads Retry-After: seconds or an HTTP date. 0 when absent, unreadable or past.
func retryAfter(v string, now time.Time) time.Duration {
	if v == "" {
		return 0
	}
	// A number beyond int64 still says "later than you can imagine": ParseInt answers the largest then.
	if s, err := strconv.ParseInt(v, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		if s > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return max(0, time.Duration(s)*time.Second)
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}
