package crash

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"waoutbox/store/failpoint"
)

// kills is how many processes die; a long run takes thousands (docs/GUARANTEES.md).
var kills = flag.Int("kills", defaultKills(), "how many processes TestKills kills")

func defaultKills() int {
	if failpoint.On {
		return 100
	}
	return 20
}

// points returns where processes die, besides at random: every point of the storage and every
// moment around a write, a request and a load, each with how often it is passed before; and the
// first commit after each that lies in a transaction. Creation has a test of its own.
func points() []string {
	var out []string
	add := func(most int, names ...string) {
		for _, name := range names {
			out = append(out, fmt.Sprintf("%s:%d", name, 1+rand.IntN(most)))
		}
	}
	for _, p := range failpoint.All() {
		switch p {
		case failpoint.CommitBegin, failpoint.CommitApplied, failpoint.CommitSynced, failpoint.CommitPublished:
			add(150, string(p))
		case failpoint.CreateMigrated, failpoint.CreateRenamed, failpoint.MigrateApplied, failpoint.MigrateCommitted:
		default:
			add(1+rand.IntN(2)*rand.IntN(3), string(p))
			add(1, out[len(out)-1]+","+string(failpoint.CommitSynced))
		}
	}
	for _, step := range compactSteps() {
		add(2, "compact."+step)
	}
	for _, kind := range kinds() {
		most, told := map[string]int{sending: 200, settling: 20, loading: 5, changing: 5, expiring: 2, removing: 2}[kind]
		if !told {
			most = 5
		}
		add(most, kind+before, kind+after)
	}
	return out
}

// Processes are killed at random moments and, built with the tag failpoints, at every one of these.
//
// Mutation of store/commit.go: the committer reports before it commits.
// Mutation of dispatcher/scheduler/scheduler.go: a restart begins again at attempt 1.
// Mutation of dispatcher/scheduler/checkpoint.go: the cursor passes an unfinished delivery and
// leaves no record.
func TestKills(t *testing.T) {
	r, sum := newReceiver(t), newSummary()
	var plan []string
	var e *episode
	for n := range *kills {
		if e == nil {
			e = newEpisode(t, r, sum)
		}
		kind, kill := lifeBusy, atRandom()
		switch e.number % 8 {
		case 6:
			kind, kill = lifeFill, killAt{after: 150 * time.Millisecond}
		case 7:
			kind, kill = lifeDrain, killAt{after: time.Duration(20+rand.IntN(100)) * time.Millisecond}
		default:
			if failpoint.On && rand.IntN(4) > 0 {
				if len(plan) == 0 {
					plan = points()
					rand.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
				}
				kill, plan = killAt{point: plan[0], after: patience}, plan[1:]
			}
		}
		e.run(kind, &kill)
		if e.number == livesPerEpisode || n == *kills-1 {
			e.run(lifeFinish, nil)
			e.check()
			e = nil
		}
		if t.Failed() {
			t.Fatalf("after %d kills", n+1)
		}
	}
	sum.print(t)
	if failpoint.On && *kills >= 100 && 4*len(sum.hit) < len(points()) {
		t.Errorf("only %d of %d points were reached", len(sum.hit), len(points()))
	}
	if sum.delivered < *kills || *kills >= 100 && (sum.dead == 0 || sum.replayed == 0) {
		t.Errorf("too little happened to believe in it: %+v", sum)
	}
}
