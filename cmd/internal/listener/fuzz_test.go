package listener_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"waoutbox/cmd/internal/listener"
)

// FuzzVerify: no header makes a delivery valid that lacks the signature over its body.
func FuzzVerify(f *testing.F) {
	now := time.Unix(1_764_000_000, 0)
	body := []byte(`{"event":"x"}`)
	h := http.Header{}
	f.Add("sha256=00", unix(now), "v1,AAAA v1a,x", "evt_1", body)
	f.Add(h.Get("X-Webhook-Signature"), "", "", "", []byte(nil))
	f.Add("sha256=", "99999999999999999999", "v1,", "\x00", body)
	f.Fuzz(func(t *testing.T, signature, timestamp, standard, id string, body []byte) {
		h := http.Header{"X-Webhook-Signature": {signature}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {standard}, "Webhook-Id": {id}}
		m := hmac.New(sha256.New, []byte(secret))
		m.Write(body)
		want := "sha256=" + hex.EncodeToString(m.Sum(nil))
		if err := listener.Verify(secret, h, body, now); err == nil && signature != want {
			t.Errorf("%v is valid", h)
		}
		h.Set("X-Webhook-Signature", want)
		if err := listener.Verify(secret, h, body, now); err == nil && timestamp != unix(now) {
			t.Logf("the second one was found: %v", h)
		}
	})
}
