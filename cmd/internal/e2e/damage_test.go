package e2e

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// TestADamagedEvent: an event whose stored bytes have changed, which a bad disk does, is delivered
// to nobody. It becomes a dead letter that says so wherever it is looked at, is refused to be
// replayed, raises an alarm, and its chat goes on. Before records had checksums the receiver got
// the changed body, signed.
func TestADamagedEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	ctx := r.within(time.Minute)
	recv := r.receiver(receiver.Options{Secret: secret, Script: receiver.MustScript("hang")})
	r.addWebhook(recv.URL(), secret, "message.received")
	bob := r.phone.NewContact("Bob", "491515550111")
	var ids []string
	for i := range 3 {
		id, err := bob.SendText(ctx, fmt.Sprint("text number ", i))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := r.phone.WaitDrained(ctx); err != nil {
		t.Fatal(err)
	}
	r.kill()
	damage(t, filepath.Join(r.stateDir, "outbox.db"), "text number 1")
	recv.SetScript(nil, false)
	r.serve()
	delivered := func() (got []string) {
		for _, d := range recv.Deliveries() {
			if !d.Accepted() {
				continue
			}
			if d.Signature != receiver.SignatureValid {
				t.Errorf("a delivery with the signature %s", d.Signature)
			}
			if id := messageIDs(t, d.Body)[0]; !slices.Contains(got, id) {
				got = append(got, id)
			}
		}
		return got
	}
	r.until("the others arrived", func() bool { return len(delivered()) == 2 })
	if got := delivered(); !slices.Equal(got, []string{ids[0], ids[2]}) {
		t.Errorf("delivered %v, want %v without the second", got, ids)
	}
	var dead []api.DeadLetter
	r.until("the damaged one is a dead letter", func() bool {
		dead = lines[api.DeadLetter](r, "deadletter", "list")
		return len(dead) == 1
	})
	if l := dead[0].LastError; l.Class != "corrupt" || !strings.Contains(l.Message, "damaged") {
		t.Errorf("its error is %+v", l)
	}
	st := r.status()
	if !slices.ContainsFunc(st.Alarms, func(a api.Alarm) bool { return a.Code == "outbox_corrupt" && strings.Contains(a.Message, "damaged") }) {
		t.Errorf("alarms %+v", st.Alarms)
	}
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"deadletter show " + dead[0].ID, 0, "The stored bytes are damaged, so they are not shown"},
		{"deadletter show --curl " + dead[0].ID, 1, "has no body that could be sent: its stored bytes are damaged"},
		{"deadletter replay " + dead[0].ID, 1, "damaged"},
		{"deadletter", 0, "damaged"},
		{"deadletter list", 0, "damaged"},
		{"event list", 0, "(damaged)"},
		{"event show " + dead[0].EventID, 0, "The stored bytes are damaged, so they are not shown"},
		{"status --check", 1, "damaged"},
	} {
		res := r.run(strings.Fields(tc.args)...)
		if res.code != tc.code || !strings.Contains(res.stdout+res.stderr, tc.want) {
			t.Errorf("%s: exit %d, want %d with %q\n%s%s", tc.args, res.code, tc.code, tc.want, res.stdout, res.stderr)
		}
	}
	if left := lines[api.DeadLetter](r, "deadletter", "list"); len(left) != 1 {
		t.Errorf("%d dead letters after the replay that was refused, want 1", len(left))
	}
	r.mustRun("deadletter", "purge", dead[0].ID, "--yes")
	if left := lines[api.DeadLetter](r, "deadletter", "list"); len(left) != 0 {
		t.Errorf("%d dead letters after the purge", len(left))
	}
}

// damage changes the case of a text in the stored event that holds it.
func damage(t *testing.T, path, text string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	err = db.Update(func(tx *bbolt.Tx) error {
		events := tx.Bucket([]byte("events"))
		c := events.Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if bytes.Contains(v, []byte(text)) {
				return events.Put(bytes.Clone(k), bytes.Replace(v, []byte(text), []byte(strings.ToUpper(text)), 1))
			}
		}
		return fmt.Errorf("no event has %q", text)
	})
	if err != nil {
		t.Fatal(err)
	}
}
