package listener_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"waoutbox/cmd/internal/listener"
)

// FuzzVerify: no header makes a delivery valid that lacks the signature over its body, or that of
// Standard Webhooks as their own library sees it.
func FuzzVerify(f *testing.F) {
	now := time.Unix(1_764_000_000, 0)
	body := []byte(`{"event":"x"}`)
	standard, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		f.Fatal(err)
	}
	signed, err := standard.Sign("evt_1", now, body)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", unix(now), signed, "evt_1", body)
	f.Add("", unix(now), "v1,other  "+signed, "evt_1", body)
	f.Add("", unix(now), "\n"+signed, "evt_1", body)
	f.Add("", "+"+unix(now), signed, "evt_1", body)
	f.Add("sha256=00", unix(now), "v1,AAAA v1a,x", "evt_1", body)
	f.Add("", "", "", "", []byte(nil))
	f.Add("sha256=", "99999999999999999999", "v1,", "\x00", body)
	f.Fuzz(func(t *testing.T, signature, timestamp, signatures, id string, body []byte) {
		h := http.Header{"X-Webhook-Signature": {signature}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signatures}, "Webhook-Id": {id}}
		m := hmac.New(sha256.New, []byte(secret))
		m.Write(body)
		want := "sha256=" + hex.EncodeToString(m.Sum(nil))
		if err := listener.Verify(secret, h, body, now); err == nil && signature != want {
			t.Errorf("%v is valid", h)
		}
		h.Set("X-Webhook-Signature", want)
		if listener.Verify(secret, h, body, now) == nil {
			if err := standard.VerifyIgnoringTimestamp(body, h); err != nil {
				t.Errorf("%v is valid, and not to the library: %v", h, err)
			}
		} else if id == "evt_1" && timestamp == unix(now) && signatures == signed && bytes.Equal(body, []byte(`{"event":"x"}`)) {
			t.Errorf("%v is not valid", h)
		}
	})
}
