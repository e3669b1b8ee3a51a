package connection

import (
	"fmt"
	"os"
	"os/exec"
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
func TestWhatCannotBeReadComesAgain(t *testing.T) {
	r := linkedRig(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	var said []string
	for _, effect := range []fault.Effect{fault.Garble, fault.Damage} {
		r.unread = unread{waits: r.unread.waits}
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
	if got := r.statuses()[before:]; len(got) > 0 {
		t.Errorf("the connection was made anew: %q", got)
	}
	r.acc.ClearFaults()
	r.acc.Drop() // for whatever reason it ends
	must(t, r.acc.WaitDrained(ctx))
	eventually(t, "the text", func() bool { return slices.Contains(r.texts(), "unreadable") })
	eventually(t, "end of the note", func() bool { return len(r.Link().Notes) == 0 })

	// and when the wait is over without another reason
	must(t, r.acc.Fault(fault.Fault{From: fault.Server, Tag: "message", Effect: fault.Damage}))
	waits <- time.Millisecond
	_, err = bob.SendText(ctx, "read in the end")
	must(t, err)
	eventually(t, "the text", func() bool { return slices.Contains(r.texts(), "read in the end") })
}

// backoffOf are waits that a function tells.
type backoffOf func() time.Duration

func (b backoffOf) NextBackOff() time.Duration { return b() }
func (backoffOf) Reset()                       {}

// The waits double up to the longest, and begin anew when nothing was dropped for long.
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
			if lost.now || u.dropped(time.Now(), "").due != lost.due {
				t.Fatalf("asked for %+v", lost)
			}
			wait := time.Until(lost.due)
			sum += wait
			<-time.After(wait)
		}
		if sum < 12*time.Hour || sum > 40*time.Hour {
			t.Errorf("12 times in %v", sum)
		}
		u.connecting()
		<-time.After(2*unreadMost + time.Second)
		if lost := u.dropped(time.Now(), ""); !lost.now {
			t.Error("one after a long time is not asked for at once")
		}
	})
}

// The lines by which dropped frames are known are the library's own.
func TestDroppedFramesAreTheLibrarys(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.mau.fi/whatsmeow").Output()
	must(t, err)
	var source strings.Builder
	for _, pattern := range []string{"client.go", "socket/*.go"} {
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), pattern))
		must(t, err)
		for _, name := range files {
			b, err := os.ReadFile(name)
			must(t, err)
			source.Write(b)
		}
	}
	for format := range droppedFrames {
		if !strings.Contains(source.String(), fmt.Sprintf("Warnf(%q", format)) {
			t.Errorf("the library has no line %q", format)
		}
	}
}
