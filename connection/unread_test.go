package connection

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"

	"waoutbox/connection/wasim/fault"
	"waoutbox/outbox/api"
)

// What the library cannot decode comes again at once, before what was sent behind it. Before,
// nothing said so, it waited for the next connection, and what came behind was told first.
//
// Mutation of log.go: what the library drops undecoded waits in silence for another reason to
// connect again, and what came behind it is told first.
func TestWhatCannotBeReadComesAgain(t *testing.T) {
	r := linkedRig(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	var said []string
	for _, effect := range []fault.Effect{fault.Garble, fault.Damage} {
		ctx := bounded(t)
		r.acc.Hold(true)
		must(t, r.acc.Fault(fault.Fault{From: fault.Server, Tag: "message", Effect: effect}))
		for _, text := range []string{string(effect), "behind " + string(effect)} {
			_, err := bob.SendText(ctx, text)
			must(t, err)
			said = append(said, text)
		}
		before := len(r.statuses())
		r.acc.Hold(false)
		r.waitTexts(said...)
		must(t, r.acc.WaitDrained(ctx))
		if !r.hasAlarm(alarmFrame) {
			t.Error("no alarm")
		}
		r.alarms.clear(alarmFrame)
		r.waitState(api.LinkConnected)
		eventually(t, "end of the note", func() bool { return len(r.Link().Notes) == 0 })
		if got := r.statuses()[before:]; !slices.Contains(got, "connecting") {
			t.Errorf("told %q", got)
		}
	}
}

// What can never be read does not keep the rest, and the connection is made anew for it less and
// less often.
//
// Mutation of unread.go: what can never be decoded has the connection made anew again and again, at
// the cost of all the rest.
func TestWhatCanNeverBeReadKeepsNothing(t *testing.T) {
	r := linkedRig(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	ctx := bounded(t)
	waits := make(chan time.Duration, 1)
	waits <- time.Hour
	r.unread.waits = func() backoff.BackOff { return backoffOf(func() time.Duration { return <-waits }) }
	must(t, r.acc.Fault(fault.Fault{From: fault.Server, Tag: "message", Attrs: map[string]string{"from": bob.LID()}, Times: fault.Always, Effect: fault.Garble}))
	bob.SetAddressing("lid")
	_, err := bob.SendText(ctx, "unreadable")
	must(t, err)
	eventually(t, "the note", func() bool {
		notes := r.Link().Notes
		return len(notes) == 1 && strings.Contains(notes[0], "could not be read") && !strings.HasSuffix(notes[0], "at once")
	})
	r.waitState(api.LinkConnected)
	before := len(r.statuses())
	eve := r.acc.NewContact("Eve", "15550100456")
	for i := range 20 {
		_, err := bob.SendText(ctx, "unreadable too")
		must(t, err)
		_, err = eve.SendText(ctx, strconv.Itoa(i))
		must(t, err)
		eventually(t, "the text", func() bool { return slices.Contains(r.texts(), strconv.Itoa(i)) })
	}
	// that the present one has brought what waited may be told by now
	if got := slices.DeleteFunc(r.statuses()[before:], func(s string) bool { return s == "caught up" }); len(got) > 0 {
		t.Errorf("the connection was made anew: %q", got)
	}
	r.acc.ClearFaults()
	r.acc.Drop() // for whatever reason it ends
	must(t, r.acc.WaitDrained(ctx))
	eventually(t, "the text", func() bool { return slices.Contains(r.texts(), "unreadable") })
	eventually(t, "end of the note", func() bool { return len(r.Link().Notes) == 0 })

	// and when the wait is over without another reason
	must(t, r.acc.Fault(fault.Fault{From: fault.Server, Tag: "message", Times: 2, Effect: fault.Damage}))
	waits <- time.Millisecond
	_, err = bob.SendText(ctx, "read in the end")
	must(t, err)
	eventually(t, "the text", func() bool { return slices.Contains(r.texts(), "read in the end") })
}

// backoffOf are waits that a function tells.
type backoffOf func() time.Duration

func (b backoffOf) NextBackOff() time.Duration { return b() }
func (backoffOf) Reset()                       {}

// What comes again and is dropped again is asked for after waits that double; what is dropped once,
// and read then, at once, up to a few times an hour.
func TestWaitsForWhatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := unread{waits: defaultTimings().unread}
		if lost := u.dropped(time.Now(), ""); !lost.now {
			t.Error("the first is not asked for at once")
		}
		sum := time.Duration(0)
		for range 12 {
			u.connecting()
			lost := u.dropped(time.Now(), "")
			if lost.now || u.caughtUp() || u.dropped(time.Now(), "").due != lost.due {
				t.Fatalf("asked for %+v", lost)
			}
			wait := time.Until(lost.due)
			sum += wait
			<-time.After(wait)
		}
		if sum < 12*time.Hour || sum > 40*time.Hour {
			t.Errorf("12 times in %v", sum)
		}
		for range 2 {
			atOnce := 0
			for range 20 {
				u.connecting()
				if !u.caughtUp() {
					t.Fatal("nothing was dropped on this connection")
				}
				if lost := u.dropped(time.Now(), ""); lost.now {
					atOnce++
				}
			}
			if atOnce != mostAtOnce {
				t.Errorf("%d times at once, want %d", atOnce, mostAtOnce)
			}
			<-time.After(atOnceIn + time.Second)
		}
	})
}

// The lines by which the library is known to drop something are its own.
func TestLinesAreTheLibrarys(t *testing.T) {
	lines := append(slices.Collect(maps.Keys(droppedFrames)), notResent, notRecovered)
	var source strings.Builder
	for _, name := range receivePath {
		b, err := os.ReadFile(filepath.Join(libraryDir(t), name))
		must(t, err)
		source.Write(b)
	}
	for _, line := range lines {
		if !strings.Contains(source.String(), fmt.Sprintf("f(%q", line)) {
			t.Errorf("the library has no line %q", line)
		}
	}
}
