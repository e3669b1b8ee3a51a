package garbage

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func none(string) string { return "" }

func TestPercentFor(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 1: 100, Budget: 100, Budget + Budget/3: 75, 2 * Budget: 50, 4 * Budget: 25, 100 * Budget: 25} {
		if got := percentFor(live); got != want {
			t.Errorf("%d MiB live: %d %%, want %d", live>>20, got, want)
		}
	}
}

// inForce reads the percentage.
func inForce() int {
	p := debug.SetGCPercent(100)
	debug.SetGCPercent(p)
	return p
}

// collectUntil collects until the percentage is as wanted, which some collections later it is.
func collectUntil(t *testing.T, what string, want func(percent int) bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !want(inForce()); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%s: the percentage is %d", what, inForce())
		}
		runtime.GC()
	}
}

// With 64 MiB alive garbage gets a quarter of that, not as much again; when it is gone the
// collector's own rule holds, as after release.
//
// Mutation of garbage.go: garbage may be as much as lives, however much that is.
func TestGarbageIsBoundedWhileMuchLives(t *testing.T) {
	release := Bound(none)
	defer release()
	much := make([]byte, 4*Budget)
	collectUntil(t, "with 64 MiB", func(p int) bool { return p == least })
	runtime.KeepAlive(much)
	collectUntil(t, "with nothing", func(p int) bool { return p == usual })

	much = make([]byte, 2*Budget)
	collectUntil(t, "with 32 MiB", func(p int) bool { return p < 60 && p > 40 })
	release()
	if p := inForce(); p != usual {
		t.Errorf("released: %d", p)
	}
	runtime.GC()
	runtime.GC()
	if p := inForce(); p != usual {
		t.Errorf("a collection after the release: %d", p)
	}
	runtime.KeepAlive(much)
}

func TestWhoHasSetTheCollectorKnowsBetter(t *testing.T) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		release := Bound(func(asked string) string {
			if asked == name {
				return "1"
			}
			return ""
		})
		much := make([]byte, 4*Budget)
		runtime.GC()
		runtime.GC()
		if p := inForce(); p != usual {
			t.Errorf("with %s: %d", name, p)
		}
		runtime.KeepAlive(much)
		release()
	}
}
