//go:build diskfaults

package boltbox_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// These tests are built with a copy of bbolt whose way to the disk can be watched: see
// .ci/diskfaults.

// diskOp is one thing that was done to the disk, or a moment in between.
type diskOp struct {
	kind string // write, truncate, sync, renamed, synced; acknowledged
	file string // base name at the moment it was done
	off  int64
	data []byte
	// of acknowledged
	seq outbox.Seq
	key string
}

// diskLog records what is done to the disk.
type diskLog struct {
	mu  sync.Mutex
	ops []diskOp
	// fault, when set, may refuse an operation of the disk. n counts them.
	fault func(n int, kind string) error
	n     int
	path  string
}

// headers are the two header pages of the file as they are now.
func (d *diskLog) headers() []byte {
	b, err := os.ReadFile(d.path)
	if err != nil {
		panic(err)
	}
	return b[:2*os.Getpagesize()]
}

func (d *diskLog) add(op diskOp) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops = append(d.ops, op)
}

// watch has bbolt report to the log until the test ends.
func (d *diskLog) watch(t *testing.T) {
	bbolt.Disk = func(kind, path string, off int64, data []byte, do func() error) error {
		d.mu.Lock()
		n, fault := d.n, d.fault
		d.n++
		d.mu.Unlock()
		if fault != nil {
			if err := fault(n, kind); err != nil {
				d.add(diskOp{kind: "failed " + kind, file: filepath.Base(path)})
				return err
			}
		}
		err := do()
		if err == nil {
			d.add(diskOp{kind: kind, file: filepath.Base(path), off: off, data: append([]byte(nil), data...)})
		}
		return err
	}
	t.Cleanup(func() { bbolt.Disk = nil })
}

// options are those of a store that reports the rest.
func (d *diskLog) options() store.DBOptions {
	return store.DBOptions{
		Schema: boltbox.Schema(),
		StepHook: func(step string) {
			switch step {
			case "renamed":
				d.add(diskOp{kind: step})
			case "forgotten": // written past bbolt, and synced
				d.add(diskOp{kind: step, file: store.OutboxFile, data: d.headers()})
			}
		},
		SyncDir: func(string) error { d.add(diskOp{kind: "synced"}); return nil },
	}
}

// work appends, moves a lane along, trims and compacts, and notes what was acknowledged. What fails
// with an error that P8 allows is done again; anything else ends it.
func (d *diskLog) work(ctx context.Context, db *store.DB, box *boltbox.Box, name string, rounds int) error {
	again := func(what string, do func() error) error {
		for deadline := time.Now().Add(20 * time.Second); ; {
			err := do()
			if err == nil {
				return nil
			}
			if !errors.Is(err, outbox.ErrFull) && !errors.Is(err, outbox.ErrUnknown) && !errors.Is(err, outbox.ErrClosed) || time.Now().After(deadline) {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	for i := range rounds {
		key := fmt.Sprintf("%s-%d", name, i)
		var seqs []outbox.Seq
		err := again("append", func() (err error) {
			seqs, err = box.Append(ctx, crashEvent(key), crashEvent(key+"b"))
			return err
		})
		if err != nil {
			return err
		}
		d.add(diskOp{kind: "acknowledged", seq: seqs[0], key: key})
		d.add(diskOp{kind: "acknowledged", seq: seqs[1], key: key + "b"})
		if i%3 == 0 {
			if err := again("commit", func() error { return d.settle(ctx, box) }); err != nil {
				return err
			}
		}
		if i%16 == 15 {
			err := db.Compact(ctx)
			if e, known := errors.AsType[*store.Error](err); err != nil && !known {
				return fmt.Errorf("compact: %w", err)
			} else if known && e.Kind == store.Damaged {
				return err
			}
		}
	}
	return nil
}

// settle moves the lane over what is there: odd sequences become pending, even ones dead.
func (d *diskLog) settle(ctx context.Context, box *boltbox.Box) error {
	next, _, _, err := box.Load(ctx, "wh_a")
	if err != nil {
		return err
	}
	evs, next, err := box.Read(ctx, "wh_a", next, 1<<20)
	if err != nil {
		return err
	}
	c := outbox.Change{Sub: "wh_a", Next: next}
	for _, e := range evs {
		state := outbox.Pending
		if e.Seq%2 == 0 {
			state = outbox.Dead
		}
		c.Set = append(c.Set, outbox.Record{Seq: e.Seq, State: state, Reason: e.Key})
	}
	if err := box.Commit(ctx, c); err != nil {
		return err
	}
	d.add(diskOp{kind: "acknowledged", seq: next})
	return nil
}

// promised is what was acknowledged before the first n operations were over.
func (d *diskLog) promised(n int) (durable map[outbox.Seq]string, next outbox.Seq) {
	durable = map[outbox.Seq]string{}
	for _, op := range d.ops[:n] {
		switch {
		case op.kind == "acknowledged" && op.key != "":
			durable[op.seq] = op.key
		case op.kind == "acknowledged":
			next = max(next, op.seq)
		}
	}
	return durable, next
}

// platter is what a disk holds of a file: what is certain, and what was written since the last
// sync.
type platter struct {
	certain []byte
	pending []diskOp
}

func (p *platter) apply(op diskOp, sector func() bool) {
	if op.kind == "truncate" {
		p.certain = append(p.certain, make([]byte, max(0, int(op.off)-len(p.certain)))...)[:op.off]
		return
	}
	if need := int(op.off) + len(op.data); need > len(p.certain) {
		p.certain = append(p.certain, make([]byte, need-len(p.certain))...)
	}
	for at := 0; at < len(op.data); at += 512 {
		if sector() {
			copy(p.certain[int(op.off)+at:], op.data[at:min(at+512, len(op.data))])
		}
	}
}

func whole() bool { return true }

// cut is the file as it may lie on the disk when the power goes after the first n operations: of
// what was not synced, all, nothing, or any sectors.
func (d *diskLog) cut(base []byte, n int, kind string, random *rand.Rand) []byte {
	files := map[string]*platter{store.OutboxFile: {certain: append([]byte(nil), base...)}}
	get := func(name string) *platter {
		if files[name] == nil {
			files[name] = &platter{}
		}
		return files[name]
	}
	var old *platter // a name that is not durable yet: the file that had it before
	for _, op := range d.ops[:n] {
		switch op.kind {
		case "write", "truncate":
			f := get(op.file)
			f.pending = append(f.pending, op)
		case "sync":
			f := get(op.file)
			for _, w := range f.pending {
				f.apply(w, whole)
			}
			f.pending = nil
		case "failed sync":
			// what was to be synced may be there or not, and no later sync writes it
			f := get(op.file)
			f.lose(kind, random)
			f.pending = nil
		case "forgotten":
			f := get(op.file)
			f.lose(kind, random)
			f.pending = nil
			f.apply(diskOp{kind: "write", data: op.data}, whole)
		case "renamed":
			old = files[store.OutboxFile]
			files[store.OutboxFile] = get(store.OutboxFile + ".compact")
			delete(files, store.OutboxFile+".compact")
		case "synced":
			old = nil
		}
	}
	f := files[store.OutboxFile]
	if old != nil && random.IntN(2) == 0 {
		f = old
	}
	f.lose(kind, random)
	return f.certain
}

// lose keeps of what was not synced all, nothing, or any sectors.
func (p *platter) lose(kind string, random *rand.Rand) {
	for _, w := range p.pending {
		switch kind {
		case "all":
			p.apply(w, whole)
		case "some":
			if random.IntN(3) > 0 {
				torn := random.IntN(3) == 0
				p.apply(w, func() bool { return !torn || random.IntN(2) == 0 })
			}
		}
	}
}

// newLogged is an outbox with one subscription, whose disk is watched from now on, and its content
// at that moment.
func newLogged(t *testing.T, d *diskLog) (db *store.DB, box *boltbox.Box, path string, base []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), store.OutboxFile)
	d.path = path
	db, err := store.Open(path, d.options())
	if err != nil {
		t.Fatal(err)
	}
	box = openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
	subscribe(t, box, "wh_a", outbox.Any)
	if base, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	d.watch(t)
	return db, box, path, base
}

// images is how many power cuts are tried.
func images(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("WAOUTBOX_IMAGES"))
	if err != nil || n < 1 {
		return 300
	}
	return n
}

// The power may go at any moment, and of what was not synced any part may be on the disk: the file
// opens, is consistent, and holds whatever was acknowledged.
func TestDiskPowerCut(t *testing.T) {
	d := &diskLog{}
	db, box, _, base := newLogged(t, d)
	if err := d.work(t.Context(), db, box, "cut", 100); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	bbolt.Disk = nil
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	for i := range images(t) {
		n, kind := random.IntN(len(d.ops)+1), []string{"none", "all", "some", "some"}[i%4]
		if err := os.WriteFile(path, d.cut(base, n, kind, random), 0o600); err != nil {
			t.Fatal(err)
		}
		durable, next := d.promised(n)
		storetest.Check(t, path)
		afterCrash(t, path, durable, next)
		if t.Failed() {
			t.Fatalf("after %d of %d operations, of what was not synced %s (seed %d)", n, len(d.ops), kind, seed)
		}
	}
	t.Logf("%d power cuts in %d operations of the disk (seed %d)", images(t), len(d.ops), seed)
}

// A sync fails, work goes on, and the power goes later: what was to be synced then may never have
// reached the disk, though the system showed it all the while. When it was a header, the next
// transaction overwrites pages of the one before it, which is the newest on the disk. Before, such
// a file sent the process that opened it into a fault.
func TestDiskSyncFailsAndPowerCut(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 4))
	path := filepath.Join(t.TempDir(), store.OutboxFile)
	for i := range max(20, images(t)/10) {
		d := &diskLog{}
		db, box, _, base := newLogged(t, d)
		syncs, at := 0, random.IntN(40)
		d.fault = func(_ int, kind string) error {
			if kind != "sync" {
				return nil
			}
			if syncs++; syncs-1 != at {
				return nil
			}
			return &os.PathError{Op: kind, Path: path, Err: syscall.EIO}
		}
		if err := d.work(t.Context(), db, box, fmt.Sprint("sync", i), 12); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		bbolt.Disk = nil
		for j := range 16 {
			// soon afterwards: a later sync of the header ends what can go wrong
			failed := slices.IndexFunc(d.ops, func(op diskOp) bool { return op.kind == "failed sync" })
			n, kind := min(len(d.ops), failed+1+random.IntN(40)), []string{"none", "all", "some", "some"}[j%4]
			if err := os.WriteFile(path, d.cut(base, n, kind, random), 0o600); err != nil {
				t.Fatal(err)
			}
			durable, next := d.promised(n)
			storetest.Check(t, path)
			checkDurable(t, path, durable, next)
			if t.Failed() {
				t.Fatalf("sync %d failed; after %d of %d operations, of what was not synced %s (seed %d)", at, n, len(d.ops), kind, seed)
			}
		}
	}
}

// Any single operation of the disk may fail, in each of the ways a disk fails: whoever waits hears
// an error that P8 allows, work goes on by itself, no fault stays, and what was acknowledged is
// there.
func TestDiskFaults(t *testing.T) {
	var n int
	{
		d := &diskLog{}
		db, box, _, _ := newLogged(t, d)
		d.n = 0
		if err := d.work(t.Context(), db, box, "count", 20); err != nil {
			t.Fatal(err)
		}
		n = d.n
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 2))
	kinds := map[string]int{}
	for i := range max(40, images(t)/5) {
		at, errno, burst := random.IntN(n), []error{syscall.EIO, syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}[i%4], 1+random.IntN(3)
		d := &diskLog{}
		db, box, path, _ := newLogged(t, d)
		d.n = 0
		d.fault = func(n int, kind string) error {
			if n < at || n >= at+burst {
				return nil
			}
			kinds[kind]++
			return &os.PathError{Op: kind, Path: path, Err: errno}
		}
		err := d.work(t.Context(), db, box, fmt.Sprint("fault", i), 20)
		if err != nil {
			t.Errorf("%v from operation %d on, %d times: %v", errno, at, burst, err)
		}
		d.fault = nil
		// a compaction that failed is a fault until one succeeds
		if err := db.Compact(t.Context()); err != nil {
			t.Errorf("%v from operation %d on: compaction afterwards: %v", errno, at, err)
		}
		appendKeys(t, box, "afterwards")
		if s := db.Stats(); len(s.Faults) != 0 {
			t.Errorf("%v from operation %d on: faults stay: %v", errno, at, s.Faults)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		bbolt.Disk = nil
		durable, next := d.promised(len(d.ops))
		storetest.Check(t, path)
		checkDurable(t, path, durable, next)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if len(kinds) < 2 {
		t.Errorf("only these kinds of operations failed: %v", kinds)
	}
	t.Logf("operations that failed: %v (seed %d)", maps.Clone(kinds), seed)
}

// checkDurable is afterCrash without what only it appends.
func checkDurable(t *testing.T, path string, durable map[outbox.Seq]string, next outbox.Seq) {
	t.Helper()
	db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	box := openBox(t, db, boltbox.SmallRuns(boltbox.Options{}))
	for seq, key := range durable {
		if e, err := box.Event(t.Context(), seq); err != nil || e.Key != "evt_"+key {
			t.Errorf("durable event %d (%s) is %q, %v", seq, key, e.Key, err)
		}
	}
	if got, _, _, err := box.Load(t.Context(), "wh_a"); err != nil || got < next {
		t.Errorf("next is %d, %v; %d was durable", got, err, next)
	}
}
