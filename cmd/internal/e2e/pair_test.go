package e2e

import (
	"slices"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// An account is linked by a code typed into the phone, with the passkey that WhatsApp asks for,
// logged out, and linked again, by the program's own commands and without a restart.
func TestPairByCodeAndUnpair(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	if err := r.phone.RequirePasskey(); err != nil {
		t.Fatal(err)
	}
	user, _, _ := strings.Cut(r.phone.PN(), "@")
	if steps := r.pair("--phone", "+"+user); !slices.Equal(steps, []string{api.StepCode, api.StepPasskey, api.StepLinked}) {
		t.Errorf("steps %q", steps)
	}
	if res := r.run("unpair"); res.code != 2 || !strings.Contains(res.stderr, "--yes") {
		t.Errorf("unpair without --yes: %+v", res)
	}
	if got := one[api.UnpairResult](r, "unpair", "--yes"); got.Account != r.phone.PN() || !got.Told {
		t.Errorf("unpair: %+v", got)
	}
	if r.phone.Linked() || r.status().Link.State != api.LinkUnlinked {
		t.Errorf("still linked: %v, %+v", r.phone.Linked(), r.status().Link)
	}
	r.pair()
}
