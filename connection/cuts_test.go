package connection

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"waoutbox/connection/wasim"
	"waoutbox/connection/wasim/fault"
)

// everyCut names the environment variable that makes TestTrafficCutAtEveryStanza try every stanza,
// not one in cutStep.
const (
	everyCut = "WAOUTBOX_EVERY_CUT"
	cutStep  = 6
)

// TestTrafficCutAtEveryStanza: wherever the connection is cut, before or after the stanza and on
// whichever side, while the companion logs in and what waits for it is sent, each fact is stored
// once and in its chat's order.
func TestTrafficCutAtEveryStanza(t *testing.T) {
	step := cutStep
	if os.Getenv(everyCut) != "" {
		step = 1
	}
	r := linkedRig(t)
	bob, eve := r.acc.NewContact("Bob", "15550100123"), r.acc.NewContact("Eve", "15550100456")
	team := r.acc.NewGroup("Team", bob, eve)
	var said []string // in the group
	cuts := 0
	for i, f := range []fault.Fault{
		{From: fault.Server, Effect: fault.CutBefore}, {From: fault.Server, Effect: fault.CutAfter},
		{From: fault.Companion, Effect: fault.CutBefore}, {From: fault.Companion, Effect: fault.CutAfter},
	} {
		for f.Skip = i * step / 4; ; f.Skip += step {
			ctx := bounded(t)
			must(t, r.acc.Fault(f))
			r.acc.Drop()
			cut := fmt.Sprintf("%s %s %d", f.From, f.Effect, f.Skip)
			_, err := bob.SendGroupText(ctx, team, cut)
			must(t, err)
			must(t, team.SetSubject(ctx, bob, "after "+cut))
			_, err = eve.SendGroupText(ctx, team, "reply to "+cut)
			must(t, err)
			must(t, bob.SendReceipt(ctx, "read", "3EB0"+strings.ReplaceAll(cut, " ", "")))
			must(t, eve.EndCall(ctx, wasim.Ring{ID: cut}, "timeout"))
			said = append(said, cut, "reply to "+cut)
			must(t, r.acc.WaitDrained(ctx))
			if r.acc.FaultsLeft() > 0 { // the last stanza is behind
				r.acc.ClearFaults()
				break
			}
			cuts++
		}
	}
	eventually(t, "all texts", func() bool { return len(r.texts()) >= len(said) })
	if got := r.texts(); !slices.Equal(got, said) {
		t.Errorf("after %d cuts stored %q, want %q", cuts, got, said)
	}
	rounds := len(said) / 2
	for name, want := range map[string]int{`"subject":"after `: rounds, `"id":"3EB0`: rounds, `"messageStubType":40`: rounds} {
		n := 0
		for _, ev := range r.events() {
			n += strings.Count(string(ev.Body), name)
		}
		if n != want {
			t.Errorf("%d times %s after %d cuts, want %d", n, name, cuts, want)
		}
	}
	t.Logf("%d cuts", cuts)
}
