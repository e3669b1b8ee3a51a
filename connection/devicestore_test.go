package connection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/store"

	"waoutbox/connection/stanzas"
	"waoutbox/outbox/api"
)

// A device store that cannot be written: no message is acknowledged, none arrives as undecryptable,
// and all come, in order, once it works again. So it is after pairing and after a restart.
func TestUnwritableDeviceStoreAcknowledgesNothing(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	sendAll(t, func() (string, error) { return bob.SendText(ctx, "0") })
	r.waitTexts("0")
	want := []string{"0"}
	for round := range 2 {
		must(t, r.acc.WaitDrained(ctx))
		r.exec(`CREATE TRIGGER broken BEFORE INSERT ON whatsmeow_event_buffer BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`)
		for i := range 3 {
			text := fmt.Sprintf("%d-%d", round, i)
			sendAll(t, func() (string, error) { return bob.SendText(ctx, text) })
			want = append(want, text)
		}
		eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmSessionStore) })
		if n := len(r.acc.Pending()); n != 3 {
			t.Errorf("round %d: %d messages wait for an acknowledgement, want all 3", round, n)
		}
		r.exec(`DROP TRIGGER broken`)
		r.waitTexts(want...)
		must(t, r.acc.WaitDrained(ctx))
		eventually(t, "the end of the alarm", func() bool { return !r.hasAlarm(alarmSessionStore) })
		r.waitState(api.LinkConnected)
		if round == 0 {
			r.restart()
			r.waitState(api.LinkConnected)
		}
	}
}

// exec changes the device store beside the client.
func (r *rig) exec(statement string) {
	r.t.Helper()
	db, err := sql.Open("sqlite", "file:"+r.path+"?_pragma=busy_timeout(10000)")
	must(r.t, err)
	defer db.Close()
	_, err = db.ExecContext(bounded(r.t), statement)
	must(r.t, err)
}

// coded is an error as database drivers make them.
type coded struct{}

func (coded) Error() string { return "disk I/O error (778)" }
func (coded) Code() int     { return 778 }

// scripted is an EventBuffer whose transaction does what the test wants.
type scripted struct {
	store.EventBuffer
	txn func(ctx context.Context, fn func(context.Context) error) error
}

func (s scripted) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	return s.txn(ctx, fn)
}

func TestWhoseFaultAnUnreadMessageIs(t *testing.T) {
	message := errors.New("bad MAC")
	run := func(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx          context.Context
		txn          func(ctx context.Context, fn func(context.Context) error) error
		read         error
		isStoreError bool
	}{
		"all well":    {t.Context(), run, nil, false},
		"the message": {t.Context(), run, message, false},
		"a query":     {t.Context(), run, fmt.Errorf("load the session: %w", coded{}), true},
		"the begin":   {t.Context(), func(context.Context, func(context.Context) error) error { return dbutil.ErrTxnBegin }, nil, true},
		"the commit": {t.Context(), func(ctx context.Context, fn func(context.Context) error) error {
			return errors.Join(fn(ctx), errors.New("commit"))
		}, nil, true},
		"a context ended": {ended, run, coded{}, false},
	} {
		failed := 0
		s := &guardedBuffer{EventBuffer: scripted{txn: tt.txn}, plain: &stanzas.Watch{}, onFailure: func(error) { failed++ }}
		err := s.DoDecryptionTxn(tt.ctx, func(context.Context) error { return tt.read })
		if errors.Is(err, context.Canceled) != tt.isStoreError || (failed == 1) != tt.isStoreError {
			t.Errorf("%s: %v, failed %d", name, err, failed)
		}
		if tt.read != nil && !errors.Is(err, tt.read) {
			t.Errorf("%s: %v hides %v", name, err, tt.read)
		}
	}
}

// A device is saved again and again, with each new name of the account. Its stores stay as they
// were wrapped: wrapped once more, a message that is sent would wait for itself, and all that
// arrive with it.
func TestADeviceThatIsSavedAgainIsWrappedOnce(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	dev := r.libraryClient().Store
	before := dev.Sessions
	must(t, dev.Save(ctx))
	if dev.Sessions != before {
		t.Fatalf("the sessions are in a %T now", dev.Sessions)
	}
	bob := r.acc.NewContact("Bob", "15550100123")
	_, err := r.Send(ctx, api.Send{To: bob.PN(), Text: "from the service"})
	must(t, err)
	sendAll(t, func() (string, error) { return bob.SendText(ctx, "hello") })
	r.waitTexts("hello")
}
