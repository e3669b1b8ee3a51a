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

// Mutation of trim.go: trimming removes an event that a record still names.
// Mutation of trim.go: a removed subscription holds events back for ever.
// Mutation of outbox/epochs.go: a removed subscription that still has something unread is set
// aside, and its backlog with it.
// Mutation of meta.go: who reads the log on from an old position is not told that events were
// removed in between.
// Mutation of journal.go: what a record lets go of below the mark is never looked at again.
// Mutation of since.go: events that were stored while the clock was ahead are old as soon as it is
// set right.
// Mutation of sends.go: what is known of own sends is kept for ever.
// Mutation of append.go: the dedupe index is not asked.
// Mutation of seen.go: the same event with another time, as a sender's resend has it, is stored
// again.
// Mutation of sends.go: a send whose outcome is not known yet is made again under the same key.
// Mutation of auditchain.go: a trim breaks the chain.
// Mutation of subs.go: a change is stored, and who made it is not.
// Mutation of change.go: a pause, a purge or a replay is stored, and who asked for it is not.
// Mutation of subs.go: a removed webhook is forgotten, and who asked for it is not on record.
// Mutation of sends.go: a message that is about to be sent is stored, and who sends it is not.
// Mutation of audit.go: the audit trail grows for ever.
// Mutation of subs.go: a subscription begins where events were removed, and does not say so.
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
