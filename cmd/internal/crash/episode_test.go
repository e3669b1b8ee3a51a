package crash

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/failpoint"
	"waoutbox/store/storetest"
)

// livesPerEpisode is how often one state is killed before it is drained and checked from end to
// end; then a new one begins.
const livesPerEpisode = 25

// patience is how long a life may take to reach its failpoint before it is killed all the same.
const patience = 1500 * time.Millisecond

// episode is one state and its lives.
type episode struct {
	t       *testing.T
	dir     string
	r       *receiver
	l       *ledger
	sum     *summary
	number  int
	before  string  // what kind the life before was
	sampled []burst // acknowledged ones that are appended again
}

func newEpisode(t *testing.T, r *receiver, sum *summary) *episode {
	e := &episode{t: t, dir: t.TempDir(), r: r, l: newLedger(), sum: sum}
	r.ledger.Store(e.l)
	return e
}

// killAt says when a life ends: at a failpoint, or after a time from its start or from when it is
// ready.
type killAt struct {
	point     string
	fromStart bool
	after     time.Duration
}

// atRandom is some moment.
func atRandom() killAt {
	if rand.IntN(4) == 0 {
		return killAt{fromStart: true, after: time.Duration(rand.IntN(100)) * time.Millisecond}
	}
	return killAt{after: time.Duration(rand.IntN(350)) * time.Millisecond}
}

// run lives a life until it is killed, or ends by itself when kill is nil.
func (e *episode) run(kind string, kill *killAt) {
	e.t.Helper()
	e.number++
	e.l.begins(e.number)
	cmd := e.command(kind, kill)
	out, err := cmd.StdoutPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	var timer *time.Timer
	end := func(after time.Duration) {
		timer = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	}
	if kill != nil && kill.fromStart {
		end(kill.after)
	}
	finished, point := false, ""
	for scan := bufio.NewScanner(out); scan.Scan(); {
		line := scan.Text()
		switch {
		case line == "ready":
			if kill != nil && !kill.fromStart {
				end(kill.after)
			}
		case line == "finished":
			finished = true
		case strings.HasPrefix(line, "died at "):
			point = strings.TrimPrefix(line, "died at ")
		default:
			e.heard(line)
		}
	}
	err = cmd.Wait()
	if kind != lifeFill { // which delivers nothing
		e.sum.repeated(e.before, e.l.died(time.Now()))
		e.before = kind
	}
	if timer != nil {
		timer.Stop()
	}
	var exit *exec.ExitError
	switch killed := errors.As(err, &exit) && exit.ExitCode() == -1; {
	case kill == nil && (err != nil || !finished):
		e.t.Errorf("life %d did not end by itself: %v", e.number, err)
	case kill != nil && !killed:
		e.t.Errorf("life %d was not killed: %v", e.number, err)
	case kill != nil:
		e.sum.killed(kind, kill.point, point)
	}
	e.report()
}

// report fails the test for every promise that was broken since the last report.
func (e *episode) report() {
	e.t.Helper()
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	e.l.certain()
	e.l.certainOfLease()
	faults := e.l.faults
	e.l.faults = nil
	for _, f := range faults[:min(len(faults), 20)] {
		e.t.Error(f)
	}
	if more := len(faults) - 20; more > 0 {
		e.t.Errorf("and %d more", more)
	}
}

// writeAgain writes the bursts to append again to a file, and returns its path.
func (e *episode) writeAgain() string {
	again := filepath.Join(e.dir, "again")
	var lines strings.Builder
	e.l.mu.Lock()
	for base, n := range e.l.begun {
		fmt.Fprintln(&lines, base, n)
	}
	e.l.mu.Unlock()
	for _, b := range e.sampled {
		if rand.IntN(10) == 0 {
			fmt.Fprintln(&lines, b.base, b.n)
		}
	}
	if err := os.WriteFile(again, []byte(lines.String()), 0o600); err != nil {
		e.t.Fatal(err)
	}
	return again
}

// command is the process of the next life.
func (e *episode) command(kind string, kill *killAt) *exec.Cmd {
	text, err := json.Marshal(life{Number: e.number, Kind: kind, State: filepath.Join(e.dir, "state"), Base: e.r.url, Again: e.writeAgain(), Cursors: e.l.cursors()})
	if err != nil {
		e.t.Fatal(err)
	}
	cmd := exec.CommandContext(e.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // it ends when this process does
		e.t.Fatal(err)
	}
	if kill != nil && kill.point != "" {
		cmd.Env = append(cmd.Env, failpoint.Env+"="+kill.point)
	}
	return cmd
}

// heard takes up what the process says.
func (e *episode) heard(line string) {
	var base, list, path, id string
	var n int
	var seq outbox.Seq
	var owed bool
	switch word, rest, _ := strings.Cut(line, " "); word {
	case "begin":
		if _, err := fmt.Sscan(rest, &base, &n); err == nil {
			e.l.begin(base, n)
			return
		}
	case "ack":
		if _, err := fmt.Sscan(rest, &base, &list); err == nil {
			var seqs []outbox.Seq
			for text := range strings.SplitSeq(list, ",") {
				if _, err := fmt.Sscan(text, &seq); err != nil {
					e.t.Errorf("the process says %q", line)
				}
				seqs = append(seqs, seq)
			}
			e.l.ack(base, seqs)
			if len(e.sampled) < 200 && !strings.HasPrefix(base, old) {
				e.sampled = append(e.sampled, burst{base, len(seqs)})
			}
			return
		}
	case "saw":
		var before, after string
		var truncated bool
		if !strings.HasSuffix(line, " .") {
			return // killed while it was written: nobody heard it
		}
		if _, err := fmt.Sscan(rest, &path, &before, &after, &truncated, &list); err == nil {
			e.l.mu.Lock()
			e.l.saw(path, before, after, truncated, list)
			e.l.mu.Unlock()
			return
		}
	case "leased":
		var before, after string
		var truncated, renewed bool
		if !strings.HasSuffix(line, " .") {
			return // killed while it was written: nobody heard it
		}
		if _, err := fmt.Sscan(rest, &before, &after, &truncated, &renewed); err == nil {
			e.l.mu.Lock()
			e.l.subscribed(before, after, truncated, renewed)
			e.l.mu.Unlock()
			return
		}
	case "hook":
		if _, err := fmt.Sscan(rest, &path, &id, &seq, &owed); err == nil {
			e.l.stored(path, id, seq, owed)
			return
		}
	case "expire":
		if _, err := fmt.Sscan(rest, &path, &seq); err == nil {
			e.l.expire(path, seq)
			return
		}
	case "purge":
		if _, err := fmt.Sscan(rest, &path, &seq); err == nil {
			e.l.purge(path, seq)
			return
		}
	}
	e.t.Errorf("life %d says %q", e.number, line)
}

// check opens the state, which nobody uses, and settles the account.
func (e *episode) check() {
	t, ctx := e.t, e.t.Context()
	t.Helper()
	path := filepath.Join(e.dir, "state", store.OutboxFile)
	storetest.Check(t, path)
	db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema(), MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	box, err := boltbox.Open(ctx, db, boltbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	st, err := box.Stats(ctx)
	if err != nil || st.Undecodable != 0 {
		t.Errorf("%d records cannot be decoded, %v", st.Undecodable, err)
	}
	e.settle(box, st)
	e.dedupe(box)
	e.report()
}

// settle wants every acknowledged event delivered, a dead letter, or purged.
func (e *episode) settle(box *boltbox.Box, st outbox.Stats) {
	ctx, l := e.t.Context(), e.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.missed(e.sum)
	l.settleLease(e.sum)
	for path, h := range l.hooks {
		if s := st.Subs[h.id]; s.Pending != 0 {
			l.fault("/%s has %d pending deliveries in the end", path, s.Pending)
		}
		expired := e.expired(box, h.id)
		for key, seq := range l.acked {
			if nameOf(key) != message || !h.owes(seq) {
				continue
			}
			e.sum.owed++
			if d := h.posts[seq]; d != nil && d.delivered {
				e.sum.delivered++
				continue
			}
			if slices.ContainsFunc(expired, func(r outbox.Record) bool { return r.Seq <= seq && seq <= r.KeySeq() }) {
				e.sum.expired++
				continue
			}
			switch r, err := box.RecordAt(ctx, h.id, seq); {
			case err == nil && r.State == outbox.Dead:
				e.sum.dead++
			case h.purged[seq]:
				e.sum.purged++
			default:
				l.fault("%s (%d) was acknowledged, and /%s neither got it nor is it a dead letter: %+v, %v", key, seq, path, h.posts[seq], err)
			}
		}
		for _, d := range h.posts {
			e.sum.deliveries++
			if d.replay > 0 {
				e.sum.replayed++
			}
		}
	}
	e.sum.acked += len(l.acked)
}

// expired returns the records that stand for what has expired.
func (e *episode) expired(box *boltbox.Box, id outbox.SubID) (out []outbox.Record) {
	for after := outbox.Seq(0); ; {
		page, err := box.Dead(e.t.Context(), id, after, outbox.MaxBatch)
		if err != nil {
			e.t.Fatal(err)
		}
		if len(page) == 0 {
			return out
		}
		for _, r := range page {
			if after = r.KeySeq(); r.Reason == expiredIs {
				out = append(out, r)
			}
		}
	}
}

// dedupe appends everything that was acknowledged once more: it must be known, by its first
// sequence.
func (e *episode) dedupe(box *boltbox.Box) {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	var evs []outbox.Event
	flush := func() {
		if len(evs) == 0 {
			return
		}
		seqs, err := box.Append(e.t.Context(), evs...)
		if err != nil {
			e.t.Fatal(err)
		}
		for i, seq := range seqs {
			if want := e.l.acked[evs[i].Key]; seq != want {
				e.l.fault("%s, acknowledged as %d, is appended again as %d", evs[i].Key, want, seq)
			}
		}
		evs = evs[:0]
	}
	for key := range e.l.acked {
		if strings.HasPrefix(key, "evt_"+old) {
			continue // known for 30 days, which are over
		}
		if evs = append(evs, event(key)); len(evs) == outbox.MaxBatch {
			flush()
		}
	}
	flush()
}
