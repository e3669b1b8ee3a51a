package boltbox_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"

	"waoutbox/outbox/boltbox"
	"waoutbox/outbox/outboxtest"
	"waoutbox/store"
	"waoutbox/store/storetest"
)

// The engine has every operation of the seam.
var _ outboxtest.Engine = (*boltbox.Box)(nil)

// modelChecks is how many random histories the model test tries unless -rapid.checks says
// otherwise: each writes to a disk.
const modelChecks = "25"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		os.Exit(child(path))
	}
	if path := os.Getenv(seenChildEnv); path != "" {
		os.Exit(seenChild(path))
	}
	if path := os.Getenv(trimChildEnv); path != "" {
		os.Exit(trimChild(path))
	}
	// before the command line is parsed, which may set it again
	if err := flag.Set("rapid.checks", modelChecks); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func openBox(t testing.TB, db *store.DB, o boltbox.Options) *boltbox.Box {
	t.Helper()
	box, err := boltbox.Open(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestConforms(t *testing.T) {
	outboxtest.Run(t, func(t testing.TB) outboxtest.Engine {
		return openBox(t, storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()}), boltbox.Options{})
	})
}

// The same with a ring too small for an event, so that every read comes from the file, and with
// dedupe keys that are sealed and merged all the time.
func TestConformsWithoutRing(t *testing.T) {
	outboxtest.Run(t, func(t testing.TB) outboxtest.Engine {
		return openBox(t, storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()}), boltbox.SmallRuns(boltbox.Options{RingBytes: 1}))
	})
}

// The same for a caller to whom every call is slow and some writes are uncertain.
func TestConformsSlowly(t *testing.T) {
	outboxtest.RunSlow(t, func(t testing.TB) outboxtest.Engine {
		return openBox(t, storetest.Open(t, store.DBOptions{Schema: boltbox.Schema()}), boltbox.SmallRuns(boltbox.Options{}))
	})
}
