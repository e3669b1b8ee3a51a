package admin

import (
	"errors"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// secrets returns what is stored of a webhook's secrets, opened: the one in use and the one before.
func (r *rig) secrets(id string) (current, previous string) {
	r.t.Helper()
	cfg := r.stored(id)
	for _, s := range []struct {
		sealed  []byte
		context string
		to      *string
	}{
		{cfg.Secret, outbox.SecretContext(outbox.SubID(id)), &current},
		{cfg.PreviousSecret, outbox.PreviousContext(outbox.SubID(id)), &previous},
	} {
		if len(s.sealed) == 0 {
			continue
		}
		plain, err := r.key.Open(s.sealed, s.context)
		if err != nil {
			r.t.Fatal(err)
		}
		*s.to = string(plain)
	}
	return current, previous
}

// signed registers a webhook with a secret.
func (r *rig) signed(secret string) (id string) {
	r.t.Helper()
	res, err := r.PutWebhook(r.t.Context(), api.PutWebhook{URL: "http://localhost/hook", Secret: &secret})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.Webhook.ID
}

func (r *rig) rotated(in api.RotateSecret) api.RotateSecretResult {
	r.t.Helper()
	res, err := r.RotateSecret(r.t.Context(), in)
	if err != nil {
		r.t.Fatalf("RotateSecret(%+v): %v", in, err)
	}
	return res
}

const first, second, third = "the first secret", "the second secret", "the third secret"

// TestRotation: the secret before stands beside the new one, both sealed, until it is promoted.
//
// Mutation of webhook_rotate.go: a rotation gives the secret before up at once.
// Mutation of webhook_rotate.go: a promotion keeps the secret before.
func TestRotation(t *testing.T) {
	r := newRig(t)
	id := r.signed(first)
	began := time.Now()
	res := r.rotated(api.RotateSecret{Webhook: "http://LOCALHOST/hook"})
	current, previous := r.secrets(id)
	if res.Result != api.Rotated || !strings.HasPrefix(res.Secret, "whsec_") || current != res.Secret || previous != first {
		t.Errorf("%+v; stored %q and %q", res, current, previous)
	}
	until := r.stored(id).PreviousUntil
	if d := until.Sub(began); d < 24*time.Hour-time.Second || d > 24*time.Hour+time.Minute || !res.Webhook.RotationUntil.Equal(until) || !res.Webhook.Signed {
		t.Errorf("valid for %v, shown until %v", d, res.Webhook.RotationUntil)
	}
	_, err := r.RotateSecret(t.Context(), api.RotateSecret{Webhook: id})
	wantError(t, err, api.CodeInvalidArguments, "--promote")
	if now, _ := r.secrets(id); now != current {
		t.Error("a refused rotation changed the secret")
	}
	res = r.rotated(api.RotateSecret{Webhook: id, Promote: true})
	now, before := r.secrets(id)
	if res.Result != api.RotationEnded || res.Secret != "" || now != current || before != "" || !res.Webhook.RotationUntil.IsZero() || !r.stored(id).PreviousUntil.IsZero() {
		t.Errorf("promoted: %+v; stored %q and %q", res, now, before)
	}
	if res = r.rotated(api.RotateSecret{Webhook: id, Promote: true}); res.Result != api.RotationNoneRan || res.Webhook.ID != id {
		t.Errorf("promoted twice: %+v", res)
	}
	given, overlap := second, "90m"
	res = r.rotated(api.RotateSecret{Webhook: id, Secret: &given, Overlap: &overlap})
	if now, before := r.secrets(id); res.Secret != "" || now != second || before != current {
		t.Errorf("%+v; stored %q and %q", res, now, before)
	}
}

// TestRotationAtOnce: without an overlap the secret before is given up, and need not be opened.
func TestRotationAtOnce(t *testing.T) {
	r := newRig(t)
	id := r.signed(first)
	none, given := "0s", second
	res := r.rotated(api.RotateSecret{Webhook: id, Secret: &given, Overlap: &none})
	if now, before := r.secrets(id); now != second || before != "" || !res.Webhook.RotationUntil.IsZero() {
		t.Errorf("%+v; stored %q and %q", res, now, before)
	}
	r.o.Unseal = func([]byte, string) ([]byte, error) { return nil, errors.New("the key file is missing; put it back") }
	_, err := r.RotateSecret(t.Context(), api.RotateSecret{Webhook: id})
	wantError(t, err, api.CodeInternal, "--overlap 0s")
	if !strings.Contains(err.Error(), "the key file is missing; put it back") {
		t.Errorf("does not say why: %v", err)
	}
	if now, before := r.secrets(id); now != second || before != "" {
		t.Errorf("a refused rotation stored %q and %q", now, before)
	}
	given = third
	r.rotated(api.RotateSecret{Webhook: id, Secret: &given, Overlap: &none})
	if now, _ := r.secrets(id); now != third {
		t.Errorf("stored %q", now)
	}
}

func TestRotationsThatAreRefused(t *testing.T) {
	r := newRig(t)
	id := r.signed(first)
	unsigned := r.put("http://localhost/unsigned").Webhook.ID
	for says, in := range map[string]api.RotateSecret{
		"--generate-secret":    {Webhook: unsigned},
		"no secret to rotate":  {Webhook: unsigned, Promote: true},
		"leave them out":       {Webhook: id, Promote: true, Overlap: ptr("1h")},
		"takes neither":        {Webhook: id, Promote: true, Secret: ptr(second)},
		"is empty":             {Webhook: id, Secret: ptr("")},
		"white space":          {Webhook: id, Secret: ptr("  ")},
		"secret in use":        {Webhook: id, Secret: ptr(first)},
		"a duration like":      {Webhook: id, Overlap: ptr("1")},
		"at most 720h":         {Webhook: id, Overlap: ptr("721h")},
		"0s switches at once":  {Webhook: id, Overlap: ptr("-1h")},
		"webhook list":         {Webhook: "wh_NOPE"},
		"pass its URL or its ": {},
	} {
		_, err := r.RotateSecret(t.Context(), in)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", in, err, says)
		}
		for _, secret := range []string{first, second} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the secret is in the error: %v", err)
			}
		}
	}
	if now, before := r.secrets(id); now != first || before != "" {
		t.Errorf("stored %q and %q", now, before)
	}
}

// TestRegisteringWithinAnOverlap: an agent that registers with the secret in use again changes
// nothing; another secret ends the rotation; so does none.
//
// Mutation of webhook_apply.go: an agent that registers with the secret in use again cuts a
// rotation short.
func TestRegisteringWithinAnOverlap(t *testing.T) {
	for what, c := range map[string]struct {
		in            api.PutWebhook
		now, previous string
	}{
		"nothing about it":  {api.PutWebhook{Ordered: ptr(false)}, second, first},
		"the one in use":    {api.PutWebhook{Secret: ptr(second)}, second, first},
		"another":           {api.PutWebhook{Secret: ptr(third)}, third, ""},
		"the one before":    {api.PutWebhook{Secret: ptr(first)}, first, ""},
		"none":              {api.PutWebhook{Secret: ptr("")}, "", ""},
		"a generated one's": {api.PutWebhook{GenerateSecret: true}, "whsec_", ""},
	} {
		r := newRig(t)
		id := r.signed(first)
		r.rotated(api.RotateSecret{Webhook: id, Secret: ptr(second)})
		c.in.URL = id
		res, err := r.PutWebhook(t.Context(), c.in)
		if err != nil {
			t.Fatal(err)
		}
		now, before := r.secrets(id)
		if strings.HasPrefix(now, "whsec_") {
			now = "whsec_"
		}
		if now != c.now || before != c.previous || res.Webhook.RotationUntil.IsZero() != (c.previous == "") {
			t.Errorf("%s: stored %q and %q, rotating until %v", what, now, before, res.Webhook.RotationUntil)
		}
	}
}

// TestRotationThroughRemovalAndRevival: within the overlap both secrets come back, after it the new
// one alone; never none.
func TestRotationThroughRemovalAndRevival(t *testing.T) {
	for what, c := range map[string]struct {
		overlap  time.Duration
		previous string
	}{
		"within": {time.Hour, first},
		"after":  {-time.Minute, ""},
	} {
		r := newRig(t)
		id := r.signed(first)
		r.rotated(api.RotateSecret{Webhook: id, Secret: ptr(second)})
		if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id}); err != nil {
			t.Fatal(err)
		}
		// as if the clock had gone on
		sub, err := r.box.Sub(t.Context(), outbox.SubID(id))
		if err != nil {
			t.Fatal(err)
		}
		cfg := r.stored(id)
		cfg.PreviousUntil = time.Now().Add(c.overlap)
		if sub.Config, err = outbox.EncodeWebhook(cfg); err != nil {
			t.Fatal(err)
		}
		if _, err := r.box.PutSub(t.Context(), sub); err != nil {
			t.Fatal(err)
		}
		res, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: "http://localhost/hook"})
		if err != nil || res.Result != api.PutRevived || !res.Webhook.Signed {
			t.Fatalf("%s: %+v, %v", what, res, err)
		}
		if now, before := r.secrets(id); now != second || before != c.previous || res.Webhook.RotationUntil.IsZero() != (c.previous == "") {
			t.Errorf("%s: stored %q and %q, rotating until %v", what, now, before, res.Webhook.RotationUntil)
		}
	}
}

// TestAnOverlapThatIsOver: what has expired is no rotation any more: it is not shown, and the next
// one may begin.
func TestAnOverlapThatIsOver(t *testing.T) {
	r := newRig(t)
	id := r.signed(first)
	r.rotated(api.RotateSecret{Webhook: id, Secret: ptr(second), Overlap: ptr("1ns")})
	if w, err := r.Webhook(t.Context(), id); err != nil || !w.RotationUntil.IsZero() {
		t.Errorf("shown until %v, %v", w.RotationUntil, err)
	}
	r.rotated(api.RotateSecret{Webhook: id, Secret: ptr(third)})
	if now, before := r.secrets(id); now != third || before != second {
		t.Errorf("stored %q and %q", now, before)
	}
	if res := r.rotated(api.RotateSecret{Webhook: id, Promote: true}); res.Result != api.RotationEnded {
		t.Errorf("%+v", res)
	}
}
