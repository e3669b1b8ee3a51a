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

// modelChecks is how many random histories the model test tries unless -rapid.checks says otherwise: each writes to a disk.
const modelChecks = "25"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		os.Exit(child(path))
	}
	if err := flag.Set("rapid.checks", modelChecks); err != nil { // before the command line is parsed, which may set it again
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
		return openBox(t, storetest.Open(t, store.DBOptions{}), boltbox.Options{})
	})
}

// The same with a ring too small for an event: every read comes from the file.
func TestConformsWithoutRing(t *testing.T) {
	outboxtest.Run(t, func(t testing.TB) outboxtest.Engine {
		return openBox(t, storetest.Open(t, store.DBOptions{}), boltbox.Options{RingBytes: 1})
	})
}
