package kept

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"waoutbox/connection/media"
	"waoutbox/connection/wasim"
	"waoutbox/outbox"
)

func (r *rig) content(plain []byte) []byte {
	r.t.Helper()
	sum := sha256.Sum256(plain)
	file, size, ok := r.Open(sum[:])
	if !ok {
		return nil
	}
	defer file.Close()
	b, err := io.ReadAll(file)
	must(r.t, err)
	if int64(len(b)) != size {
		r.t.Errorf("%d bytes, and %d were promised", len(b), size)
	}
	return b
}

// What arrives while it is on is kept, by its content and for this user alone: the kinds that are
// asked for, up to their size, and nothing of before.
func TestKeeps(t *testing.T) {
	r := newRig(t, Policy{Kinds: all})
	r.arrives(wasim.Image, made(1))
	r.run()
	r.began()
	img, doc, big, sound := made(100_000), made(50_000), made(50_001), made(3)
	m, _ := r.arrives(wasim.Image, img)
	r.tells(m) // forwarded: the same file
	r.arrives(wasim.Document, doc)
	r.arrives(wasim.Document, big)
	if _, err := r.sim.AddMedium(wasim.Audio, sound); err != nil {
		t.Fatal(err)
	}
	r.append([]byte(`{"data":{"messages":[{"message":{"conversation":"\"directPath\""}}]}}`))
	r.settled(2)
	r.until("the last event", func() bool { r.Store.mu.Lock(); defer r.Store.mu.Unlock(); return r.next > 6 })
	if !bytes.Equal(r.content(img), img) || !bytes.Equal(r.content(doc), doc) || r.content(big) != nil {
		t.Error("other files are kept")
	}
	if st := r.Status(); st.Bytes != int64(len(img)+len(doc)) || st.Failed != 0 {
		t.Errorf("%+v", st)
	}
	if runtime.GOOS == "windows" { // modes mean nothing there
		return
	}
	for _, name := range append(r.onDisk(), journalName) {
		if info, err := os.Stat(filepath.Join(r.dir, "kept", name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(filepath.Join(r.dir, "kept")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
}

// What was wanted when the process ended is fetched by the next one, and what came meanwhile; what
// was half done is removed. While it was off nothing is wanted.
func TestGoesOnAfterARestart(t *testing.T) {
	r := newRig(t, Policy{Kinds: all})
	stop := r.run()
	r.began()
	first, second, third := made(10_000), made(20_000), made(30_000)
	r.arrives(wasim.Image, first)
	r.settled(1)
	r.setOffline(true)
	r.arrives(wasim.Image, second)
	r.until("a want", func() bool { return r.Status().Waiting == 1 })
	stop()
	r.arrives(wasim.Image, third)
	must(t, os.WriteFile(filepath.Join(r.dir, "kept", "new-123"), first, 0o600))
	j, err := os.OpenFile(filepath.Join(r.dir, "kept", journalName), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = j.WriteString(`{"want":9`) // cut off
	must(t, err)
	must(t, j.Close())
	r.setOffline(false)
	r.open()
	stop = r.run()
	r.settled(3)
	if !bytes.Equal(r.content(first), first) || !bytes.Equal(r.content(second), second) || !bytes.Equal(r.content(third), third) {
		t.Error("other files are kept")
	}
	if n := len(r.onDisk()); n != 3 {
		t.Errorf("files: %q", r.onDisk())
	}
	stop()
	r.policy = Policy{}
	r.open()
	stop = r.run()
	r.arrives(wasim.Image, made(40_000))
	stop()
	r.policy = Policy{Kinds: all}
	r.open()
	r.run()
	r.began()
	r.arrives(wasim.Image, made(50_000))
	r.settled(4)
	if r.content(made(40_000)) != nil {
		t.Error("it kept what came while it was off")
	}
}

// A fetch that fails is tried again, and one that cannot succeed is given up; while WhatsApp cannot
// be reached nothing is counted.
func TestFailedFetches(t *testing.T) {
	r := newRig(t, Policy{Kinds: all})
	r.run()
	r.began()
	m, err := r.sim.AddMedium(wasim.Image, made(1000))
	must(t, err)
	m.Expire(http.StatusServiceUnavailable)
	r.tells(m)
	r.until("tries", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.fetched > 2 })
	m.Expire(0)
	r.settled(1)
	gone, err := r.sim.AddMedium(wasim.Image, made(2000))
	must(t, err)
	gone.Expire(http.StatusGone)
	r.tells(gone)
	r.until("a failure", func() bool { return r.Status().Failed == 1 })
	r.setOffline(true)
	r.arrives(wasim.Image, made(3000))
	r.until("tries", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.fetched > 5+maxTries })
	r.setOffline(false)
	r.settled(2)
	down, err := r.sim.AddMedium(wasim.Image, made(4000))
	must(t, err)
	down.Expire(http.StatusServiceUnavailable)
	r.tells(down)
	r.until("a second failure", func() bool { return r.Status().Failed == 2 && r.Status().Waiting == 0 })
	if left, err := os.ReadDir(filepath.Join(r.dir, "spool")); err != nil || len(left) > 1 {
		t.Errorf("left in the spool: %v, %v", left, err)
	}
}

// The limit of all files together lets the oldest go; age lets them go; and they go with their
// events, the last that has a file taking it along.
func TestLetsGo(t *testing.T) {
	r := newRig(t, Policy{Kinds: all, Total: 100_000})
	stop := r.run()
	r.began()
	r.arrives(wasim.Image, made(60_000))
	r.settled(1)
	m, _ := r.arrives(wasim.Image, made(50_000))
	r.until("the second", func() bool { return r.content(made(50_000)) != nil })
	if r.content(made(60_000)) != nil || r.Status().Bytes != 50_000 {
		t.Errorf("%+v", r.Status())
	}
	r.arrives(wasim.Video, made(100_001))
	r.until("the end of the third", func() bool { return r.Status().Waiting == 0 })
	<-time.After(2 * time.Millisecond) // events get another time
	before := time.Now()
	<-time.After(2 * time.Millisecond)
	r.tells(m) // the same file, later
	r.until("its event", func() bool { r.Store.mu.Lock(); defer r.Store.mu.Unlock(); return len(r.holds) == 2 })
	r.trim(before)
	r.until("one event", func() bool { r.Store.mu.Lock(); defer r.Store.mu.Unlock(); return len(r.holds) == 1 })
	if r.content(made(50_000)) == nil {
		t.Error("the file went although an event has it")
	}
	r.trim(time.Now().Add(time.Second))
	r.settled(0)
	if n := r.onDisk(); len(n) != 0 || r.Status().Bytes != 0 {
		t.Errorf("files: %q, %+v", n, r.Status())
	}
	r.arrives(wasim.Image, made(70_000))
	r.settled(1)
	stop()
	r.policy.MaxAge = time.Hour
	r.open()
	r.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	r.run()
	r.settled(0)
}

func (r *rig) trim(before time.Time) {
	r.t.Helper()
	_, _, err := r.log.Trim(r.t.Context(), before, outbox.MaxBatch)
	must(r.t, err)
}

// A full disk is told and leaves nothing half written; with room it goes on.
func TestFullDisk(t *testing.T) {
	r := newRig(t, Policy{Kinds: all})
	low := make(chan struct{})
	r.room = func(int64) error {
		select {
		case <-low:
			return nil
		default:
			return media.ErrDiskLow
		}
	}
	r.run()
	r.began()
	m, _ := r.arrives(wasim.Image, made(10_000))
	r.until("the alarm", func() bool { return !r.Status().DiskFull.IsZero() })
	if n := r.onDisk(); len(n) != 0 || len(m.Requests()) != 0 {
		t.Errorf("files: %q after %d requests", n, len(m.Requests()))
	}
	close(low)
	r.settled(1)
	if !r.Status().DiskFull.IsZero() {
		t.Error("the alarm stays")
	}
}

// A kept file that no longer has its content is not given out, and is removed.
//
// Mutation of store.go: a kept file that was damaged on the disk is given out.
func TestDamagedFile(t *testing.T) {
	r := newRig(t, Policy{Kinds: all})
	r.run()
	r.began()
	r.arrives(wasim.Image, made(10_000))
	r.settled(1)
	must(t, os.WriteFile(filepath.Join(r.dir, "kept", r.onDisk()[0]), made(10_001)[:10_000], 0o600))
	if r.content(made(10_000)) != nil || r.Status().Files != 0 || len(r.onDisk()) != 0 {
		t.Errorf("a damaged file is given out or stays: %+v", r.Status())
	}
}

// The journal is written anew when most of it is history, and says the same.
func TestJournalStaysSmall(t *testing.T) {
	r := newRig(t, Policy{Kinds: all})
	stop := r.run()
	r.began()
	r.arrives(wasim.Image, made(10_000))
	r.settled(1)
	r.Store.mu.Lock()
	for range slack {
		must(t, r.journal.append(entry{Gone: 1 << 40}))
	}
	r.Store.mu.Unlock()
	r.until("a short journal", func() bool { r.Store.mu.Lock(); defer r.Store.mu.Unlock(); return r.journal.lines < 10 })
	r.arrives(wasim.Image, made(20_000))
	r.settled(2)
	stop()
	r.open()
	if st := r.Status(); st.Files != 2 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
	must(t, r.journal.close())
}

// A disk that has room for the fetched file and not for the kept one is left as it was.
func TestFullDiskAfterTheFetch(t *testing.T) {
	r := newRig(t, Policy{Kinds: all})
	asked := 0
	r.room = func(int64) error { // once before the fetch, once before it is stored
		if asked++; asked == 2 {
			return media.ErrDiskLow
		}
		return nil
	}
	r.run()
	r.began()
	m, _ := r.arrives(wasim.Image, made(10_000))
	r.settled(1)
	if n := len(m.Requests()); n != 2 {
		t.Errorf("%d requests", n)
	}
	if left, err := os.ReadDir(filepath.Join(r.dir, "spool")); err != nil || len(left) != 0 {
		t.Errorf("left in the spool: %v, %v", left, err)
	}
}

// A medium whose fetch panics is given up, and ends neither the store nor the service: it would be
// the same again after a restart.
//
// Mutation of run.go: a panic over a medium ends the service.
func TestAFetchThatPanicsIsGivenUp(t *testing.T) {
	r := newRig(t, Policy{Kinds: all})
	r.room = func(n int64) error {
		if n == 2*1234 {
			panic("a fault of ours")
		}
		return nil
	}
	r.run()
	r.began()
	r.arrives(wasim.Image, made(1234))
	good := made(999)
	r.arrives(wasim.Image, good)
	r.settled(1)
	r.until("the other one", func() bool { return r.Status().Failed == 1 })
	if !bytes.Equal(r.content(good), good) {
		t.Error("the other one is not kept")
	}
}
