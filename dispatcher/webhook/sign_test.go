package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// sent is one request as an endpoint saw it.
type sent struct {
	header http.Header
	body   []byte
}

// capture sends each body once and returns what arrived.
func capture(t *testing.T, secret string, bodies ...[]byte) []sent {
	t.Helper()
	var got []sent
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, sent{r.Header.Clone(), b})
	})
	s := sender(t)
	for _, b := range bodies {
		if res := s.Send(t.Context(), request(url, secret, string(b))); res.Status != 200 {
			t.Fatalf("send: %+v", res)
		}
	}
	return got
}

func TestSignatureVector(t *testing.T) {
	got := Signature([]byte("whsec_test"), golden(t)["message.received-text"])
	if want := "sha256=fd330f6822732028fc5ddf3de24fbcebcd3b5de6e7b4a86b90bf899583b3866e"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStandardWebhooksVerifierAccepts(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	base64Secret := "whsec_" + base64.StdEncoding.EncodeToString(key)
	verifiers := map[string]func() (*standardwebhooks.Webhook, error){
		base64Secret: func() (*standardwebhooks.Webhook, error) { return standardwebhooks.NewWebhook(base64Secret) },
		"plain words": func() (*standardwebhooks.Webhook, error) {
			return standardwebhooks.NewWebhookRaw([]byte("plain words"))
		},
		"whsec_*no b64": func() (*standardwebhooks.Webhook, error) {
			return standardwebhooks.NewWebhookRaw([]byte("whsec_*no b64"))
		},
	}
	for secret, verifier := range verifiers {
		got := capture(t, secret, []byte(`{"a":1}`))[0]
		v, err := verifier()
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Verify(got.body, got.header); err != nil {
			t.Errorf("secret %q: %v", secret, err)
		}
		if err := v.Verify([]byte(`{"a":2}`), got.header); err == nil {
			t.Errorf("secret %q: another body was accepted", secret)
		}
	}
}

// The verifier of the original documentation, over every golden body as it arrived. Go does it
// everywhere, node where it is.
//
// Mutation of header.go: a signature over other bytes than those sent.
func TestEveryGoldenBodyVerifies(t *testing.T) {
	const secret = "whsec_test"
	var bodies [][]byte
	for _, b := range golden(t) {
		bodies = append(bodies, b)
	}
	got := capture(t, secret, bodies...)
	type line struct {
		Signature string `json:"signature"`
		Body      string `json:"body"`
	}
	var lines []string
	for i, g := range got {
		if string(g.body) != string(bodies[i]) {
			t.Fatalf("body %d changed on the way", i)
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(bodies[i])
		if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); g.header.Get("X-Webhook-Signature") != want {
			t.Errorf("body %d: signature %s, want %s", i, g.header.Get("X-Webhook-Signature"), want)
		}
		b, err := json.Marshal(line{g.header.Get("X-Webhook-Signature"), string(g.body)})
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(b))
	}
	node, err := exec.LookPath("node")
	if err != nil && os.Getenv("WAOUTBOX_REQUIRE_TOOLS") != "" { // set by .ci/run
		t.Fatalf("the JavaScript verifier must run: %v", err)
	}
	if err != nil {
		t.Log("no node here: the JavaScript verifier was not run")
		return
	}
	const js = `const crypto=require('crypto'),secret='whsec_test';let bad=0,n=0;
for(const l of require('fs').readFileSync(0,'utf8').trim().split('\n')){n++;const {signature,body}=JSON.parse(l),payload=JSON.parse(body);
if(!(signature === 'sha256=' + crypto.createHmac('sha256', secret).update(JSON.stringify(payload)).digest('hex')))bad++;}
process.stdout.write(n+' '+bad)`
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "-e", js)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, out)
	}
	if !strings.HasSuffix(string(out), " 0") || len(lines) < 60 {
		t.Errorf("node verified (bodies, failures): %s", out)
	}
}

func TestHeaders(t *testing.T) {
	h := capture(t, "s3cret", []byte("{}"))[0].header
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "waoutbox/test", "X-Webhook-Id": "evt_1",
		"X-Webhook-Event": "message.received", "X-Webhook-Attempt": "2", "X-Webhook-Subscription": "wh_1",
		"X-Webhook-Sequence": "42", "X-Webhook-Account": "15550100999@s.whatsapp.net", "Idempotency-Key": "evt_1",
		"Webhook-Id": "evt_1", "Content-Length": "2", "X-Webhook-Replay": "",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestHeadersThatDependOnTheDelivery(t *testing.T) {
	var h http.Header
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { h = r.Header.Clone() })
	r := request(url, "", "{}")
	r.Event.Account, r.Replay = "", 3
	if res := sender(t).Send(t.Context(), r); res.Status != 200 {
		t.Fatalf("send: %+v", res)
	}
	if h.Get("X-Webhook-Replay") != "3" {
		t.Errorf("replay header %q", h.Get("X-Webhook-Replay"))
	}
	for _, absent := range []string{"X-Webhook-Signature", "Webhook-Signature", "Webhook-Timestamp", "Webhook-Id", "X-Webhook-Account"} {
		if v, ok := h[absent]; ok {
			t.Errorf("%s was sent: %q", absent, v)
		}
	}
}
