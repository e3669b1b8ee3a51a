package connection

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/compose"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// recordOf makes a record that says which message it is about.
func recordOf(id, chat string) (outbox.Audit, error) {
	key := outbox.AuditKey{Time: time.Unix(1_700_000_000, 12345).UTC(), Tag: 7, Kind: outbox.AuditSend}
	return outbox.Audit{AuditKey: key, Body: []byte(id + " to " + chat)}, nil
}

func (r *rig) wantRecords(what string, want ...string) {
	r.t.Helper()
	all, err := r.engine.Audits(r.t.Context(), outbox.AuditQuery{})
	must(r.t, err)
	var got []string
	for _, a := range all {
		got = append(got, string(a.Body))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("%s: the audit trail is %q, want %q", what, got, want)
	}
}

// toRecord is a send with a recorder that nobody has begun.
func toRecord(key string) *openSend {
	return &openSend{
		Content: compose.Content{To: types.NewJID("204813927440123", types.HiddenUserServer), Message: &waE2E.Message{Conversation: proto.String("x")}},
		send:    outbox.Send{MessageID: "3EB0A", IdempotencyKey: key}, recorders: []outbox.SendRecorder{recordOf}, done: make(chan struct{}),
	}
}

const recorded = "3EB0A to 204813927440123@lid"

// A message is on record in the write that stores it as sent, and not before.
//
// Mutation of opensends.go: a message is stored as sent, and who sent it is not.
func TestASendAndItsRecordAreOneWrite(t *testing.T) {
	r := newRig(t)
	t.Cleanup(func() { must(t, r.dev.Close()) })
	o := toRecord("")
	must(t, r.sends.prepare(t.Context(), o))
	r.wantRecords("before it was sent")
	r.engine.Hook(func(op string) error {
		if op == "AppendSent" || op == "PutAudit" {
			return errors.New("the process has ended")
		}
		return nil
	})
	resp := whatsmeow.SendResponse{ID: "3EB0A", Chat: o.To}
	if err := r.sends.settle(t.Context(), o, resp); err == nil {
		t.Error("it was stored")
	}
	r.engine.Hook(func(op string) error {
		if op == "PutAudit" {
			return errors.New("the process has ended")
		}
		return nil
	})
	r.wantRecords("when it could not be stored")
	must(t, r.sends.settle(t.Context(), o, resp))
	r.wantRecords("when it was sent", recorded)
}

// A process that ended after the message had left does not know what became of it. The next one
// learns that it arrived, and still who had asked for it.
//
// Mutation of connection/compose/content.go: after a crash nobody knows who sent what then arrived.
func TestASendOfAnEarlierProcessIsRecorded(t *testing.T) {
	for _, repeated := range []bool{false, true} {
		r := newRig(t)
		t.Cleanup(func() { must(t, r.dev.Close()) })
		must(t, r.sends.prepare(t.Context(), toRecord("key")))
		clear(r.sends.open)
		must(t, r.sends.load(t.Context()))
		if repeated { // a later call takes it up, and is no send of its own
			again := toRecord("key")
			again.send.MessageID = ""
			if _, err := r.earlierResult(t.Context(), again); err != nil {
				t.Fatal(err)
			}
			close(again.done)
		}
		receipt := &events.Receipt{MessageIDs: []types.MessageID{"3EB0A"}, Timestamp: time.Now()}
		must(t, r.sends.settleFrom(t.Context(), receipt, 0))
		r.wantRecords("when it had arrived", recorded)
	}
}

// What did not leave is not on record as sent, and what cannot be recorded is not sent.
func TestWhatIsNotSentIsNotRecordedAsSent(t *testing.T) {
	r := newRig(t)
	t.Cleanup(func() { must(t, r.dev.Close()) })
	o := toRecord("")
	must(t, r.sends.prepare(t.Context(), o))
	must(t, r.sends.fail(t.Context(), o, api.Errorf(api.CodeSendFailed, "refused")))
	r.wantRecords("after a failure")

	o = toRecord("")
	withoutTime := func(string, string) (outbox.Audit, error) { return outbox.Audit{}, nil }
	o.recorders = []outbox.SendRecorder{withoutTime}
	if err := r.sends.prepare(t.Context(), o); err == nil {
		t.Error("a send was prepared that cannot be recorded")
	}
}
