package webversion

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type memory struct {
	Version string
	Asked   time.Time
	fail    error
}

func (m *memory) WebVersion(context.Context) (string, time.Time, error) {
	return m.Version, m.Asked, m.fail
}

func (m *memory) SetWebVersion(_ context.Context, version string, asked time.Time) error {
	if m.fail == nil {
		m.Version, m.Asked = version, asked
	}
	return m.fail
}

// rig is an Updater with a clock and a WhatsApp of the test.
type rig struct {
	*Updater
	kept   *memory
	now    time.Time
	latest store.WAVersionContainer
	fail   error
	asked  int
}

func newRig(t *testing.T) *rig {
	before := store.GetWAVersion()
	t.Cleanup(func() { store.SetWAVersion(before) })
	r := &rig{kept: &memory{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), latest: newer(before, 10)}
	r.restart()
	return r
}

func newer(v store.WAVersionContainer, by uint32) store.WAVersionContainer { v[2] += by; return v }

func (r *rig) restart() {
	r.Updater = New(Options{Store: r.kept, Now: func() time.Time { return r.now }, Latest: func(context.Context) (*store.WAVersionContainer, error) {
		r.asked++
		return &r.latest, r.fail
	}})
}

func TestRenewedOnceAnHourAndKept(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	own := store.GetWAVersion()
	if result, _, err := r.Renew(ctx); result != Renewed || err != nil || store.GetWAVersion() != r.latest {
		t.Fatalf("result %v, %v, version %s", result, err, store.GetWAVersion())
	}
	if note := r.Note(); !strings.Contains(note, r.latest.String()) || !strings.Contains(note, own.String()) {
		t.Errorf("note %q", note)
	}
	// refused again: not before the hour is over, not even after a restart
	r.latest = newer(r.latest, 1)
	store.SetWAVersion(own)
	r.restart()
	if err := r.Load(ctx); err != nil || store.GetWAVersion() == own {
		t.Errorf("after a restart: version %s, %v", store.GetWAVersion(), err)
	}
	r.now = r.now.Add(Pause - time.Second)
	if result, retry, err := r.Renew(ctx); result != TooSoon || err != nil || !retry.Equal(r.now.Add(time.Second)) || r.asked != 1 {
		t.Errorf("within the hour: %v, retry at %v, %v, asked %d times", result, retry, err, r.asked)
	}
	r.now = r.now.Add(time.Second)
	if result, _, err := r.Renew(ctx); result != Renewed || err != nil || r.asked != 2 {
		t.Errorf("after the hour: %v, %v, asked %d times", result, err, r.asked)
	}
}

func TestNothingNewer(t *testing.T) {
	r := newRig(t)
	r.latest = store.GetWAVersion()
	result, retry, err := r.Renew(t.Context())
	if result != Newest || err != nil || !retry.Equal(r.now.Add(Pause)) || r.Note() != "" || r.kept.Version != "" {
		t.Errorf("%v, %v, %v, %q, kept %+v", result, retry, err, r.Note(), r.kept)
	}
}

// A program that is newer than what was taken over goes by its own version.
func TestOwnVersionIsNewer(t *testing.T) {
	r := newRig(t)
	own := store.GetWAVersion()
	r.kept.Version = "2.2000.1"
	if err := r.Load(t.Context()); err != nil || store.GetWAVersion() != own || r.Note() != "" {
		t.Errorf("version %s, %v, %q", store.GetWAVersion(), err, r.Note())
	}
	r.kept.Version = "nonsense"
	if err := r.Load(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFailuresAreTold(t *testing.T) {
	r := newRig(t)
	r.fail = errors.New("no route")
	if result, _, err := r.Renew(t.Context()); result != Failed || err == nil || r.kept.Asked != r.now {
		t.Errorf("%v, %v, kept %+v", result, err, r.kept)
	}
	r.fail, r.kept.fail, r.now = nil, errors.New("disk full"), r.now.Add(Pause)
	if result, _, err := r.Renew(t.Context()); result != Renewed || err == nil {
		t.Errorf("an answer that could not be kept: %v, %v", result, err)
	}
	r.restart()
	if err := r.Load(t.Context()); err == nil {
		t.Error("a store that cannot be read is not told")
	}
}

// A clock that was ahead when WhatsApp was asked does not keep it from being asked again.
func TestAskedInTheFuture(t *testing.T) {
	r := newRig(t)
	r.kept.Asked = r.now.AddDate(10, 0, 0)
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result, _, err := r.Renew(t.Context()); result != Renewed || err != nil {
		t.Errorf("%v, %v", result, err)
	}
}
