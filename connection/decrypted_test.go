package connection

import (
	"database/sql"
	"slices"
	"testing"
	"time"

	"waoutbox/connection/translate"
)

// A process that was killed before it cleared a plaintext whose event is stored: when WhatsApp
// sends the message again, it is read again and stored once, under the same id.
func TestKilledBeforeThePlaintextIsCleared(t *testing.T) {
	r := newRig(t)
	r.timings.clear = time.Hour
	r.run()
	r.pair()
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	id, err := bob.SendText(ctx, "once")
	must(t, err)
	must(t, r.acc.WaitDrained(ctx))
	before := r.named(translate.MessageReceived)
	plain := r.plaintexts()
	if len(before) != 1 || len(plain) != 1 {
		t.Fatalf("%d events and %d plaintexts after one message, want 1 and 1", len(before), len(plain))
	}
	r.stop()
	if left := r.plaintexts(); len(left) != 0 {
		t.Errorf("%d plaintexts left after a stop, want none", len(left))
	}
	for hash, p := range plain { // as a kill would have left it
		r.exec(`UPDATE whatsmeow_event_buffer SET plaintext = x'` + p + `' WHERE hex(ciphertext_hash) = '` + hash + `'`)
	}
	r.build(r.sim.URL(), r.sim.RootKey())
	r.timings.clear = time.Millisecond
	r.run()
	must(t, r.acc.WaitOnline(ctx))
	must(t, r.acc.Repeat(ctx, id, time.Time{}))
	must(t, r.acc.WaitDrained(ctx))
	if after := r.named(translate.MessageReceived); len(after) != 1 || after[0].Key != before[0].Key || !slices.Equal(after[0].Body, before[0].Body) {
		t.Errorf("events after the message came again: %v, want the one there was", after)
	}
	eventually(t, "end of the plaintext", func() bool { return len(r.plaintexts()) == 0 })
}

// plaintexts are those in the device store, by the hash of their ciphertext, both in hex.
func (r *rig) plaintexts() map[string]string {
	r.t.Helper()
	db, err := sql.Open("sqlite", "file:"+r.path+"?_pragma=busy_timeout(10000)")
	must(r.t, err)
	defer db.Close()
	rows, err := db.QueryContext(bounded(r.t), `SELECT hex(ciphertext_hash), hex(plaintext) FROM whatsmeow_event_buffer WHERE plaintext IS NOT NULL`)
	must(r.t, err)
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var hash, plain string
		must(r.t, rows.Scan(&hash, &plain))
		found[hash] = plain
	}
	must(r.t, rows.Err())
	return found
}
