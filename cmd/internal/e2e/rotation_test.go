package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// signedPost is one POST as a verifier sees it.
type signedPost struct {
	header http.Header
	body   []byte
}

// signers names the secrets a POST is signed with: in X-Webhook-Signature, and in webhook-signature
// in their order.
func (p signedPost) signers(t *testing.T, names map[string]string) string {
	t.Helper()
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	known := map[string]string{}
	for name, secret := range names {
		known["sha256="+hex.EncodeToString(mac([]byte(secret), string(p.body)))] = name
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			t.Fatal(err)
		}
		signed := p.header.Get("webhook-id") + "." + p.header.Get("webhook-timestamp") + "." + string(p.body)
		known["v1,"+base64.StdEncoding.EncodeToString(mac(key, signed))] = name
	}
	var standard []string
	for _, s := range strings.Fields(p.header.Get("webhook-signature")) {
		standard = append(standard, known[s])
	}
	return fmt.Sprintf("%s; %s", known[p.header.Get("X-Webhook-Signature")], strings.Join(standard, " "))
}

// TestRotationAtTheReceiver: through a crash, a removal and a revival the receiver gets both
// signatures while the overlap lasts, and the new one alone from the promotion on.
func TestRotationAtTheReceiver(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var posts []signedPost
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		posts = append(posts, signedPost{req.Header.Clone(), body})
	}))
	defer endpoint.Close()
	r := newRig(t)
	r.serve()
	r.pair()
	ctx := r.within(time.Minute)
	bob := r.phone.NewContact("Bob", "491515550111")
	names := map[string]string{}
	send := func() string {
		t.Helper()
		mu.Lock()
		before := len(posts)
		mu.Unlock()
		if _, err := bob.SendText(ctx, "hello"); err != nil {
			t.Fatal(err)
		}
		var got signedPost
		r.until("the message arrives", func() bool {
			mu.Lock()
			defer mu.Unlock()
			if len(posts) > before {
				got = posts[before]
			}
			return got.body != nil
		})
		return got.signers(t, names)
	}
	made := one[added](r, "webhook", "add", endpoint.URL, "--event", "message.received", "--generate-secret")
	names["old"] = made.Secret
	if got := send(); got != "old; old" {
		t.Errorf("signed with %s", got)
	}
	turned := one[added](r, "webhook", "rotate-secret", made.ID)
	names["new"] = turned.Secret
	if turned.Result != api.Rotated || time.Until(turned.RotationUntil) < 23*time.Hour {
		t.Errorf("%+v", turned)
	}
	const both = "old; new old"
	if got := send(); got != both {
		t.Errorf("rotated: signed with %s", got)
	}
	r.kill()
	r.serve()
	if err := r.phone.WaitOnline(ctx); err != nil {
		t.Fatal(err)
	}
	if got := send(); got != both {
		t.Errorf("after a crash: signed with %s", got)
	}
	r.mustRun("webhook", "remove", made.ID, "--yes")
	if again := one[added](r, "webhook", "add", endpoint.URL); again.Result != api.PutRevived || !again.RotationUntil.Equal(turned.RotationUntil) {
		t.Errorf("added again: %+v", again)
	}
	if got := send(); got != both {
		t.Errorf("revived: signed with %s", got)
	}
	if text := r.mustRun("webhook", "show", made.ID); !strings.Contains(text, "webhook rotate-secret "+made.ID+" --promote") {
		t.Errorf("shown without the way on: %s", text)
	}
	r.mustRun("webhook", "rotate-secret", made.ID, "--promote")
	if got := send(); got != "new; new" {
		t.Errorf("promoted: signed with %s", got)
	}
}

// TestAnEndpointWithItsOwnAuthority: it is refused with the command that trusts it, for this
// webhook alone, and trusted from the next attempt on.
func TestAnEndpointWithItsOwnAuthority(t *testing.T) {
	t.Parallel()
	endpoint := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer endpoint.Close()
	r := newRig(t)
	r.serve()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: endpoint.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	made := one[added](r, "webhook", "add", endpoint.URL+"/one")
	other := one[added](r, "webhook", "add", endpoint.URL+"/other")
	refused := func(id string) {
		t.Helper()
		if res := r.run("webhook", "test", id); res.code != 1 || !strings.Contains(res.stdout, "webhook add "+id+" --ca-file FILE") {
			t.Errorf("exit %d %s%s", res.code, res.stdout, res.stderr)
		}
	}
	refused(made.ID)
	if got := one[added](r, "webhook", "add", made.ID, "--ca-file", ca); len(got.CA) != 1 || len(got.Warnings) != 0 {
		t.Errorf("%+v", got)
	}
	r.mustRun("webhook", "test", made.ID)
	refused(other.ID)
	r.mustRun("webhook", "remove", made.ID, "--yes")
	if got := one[added](r, "webhook", "add", made.ID); len(got.CA) != 1 {
		t.Errorf("revived without its certificates: %+v", got)
	}
	r.mustRun("webhook", "test", made.ID)
	if got := one[added](r, "webhook", "add", made.ID, "--no-ca"); len(got.CA) != 0 {
		t.Errorf("%+v", got)
	}
	refused(made.ID)
}
