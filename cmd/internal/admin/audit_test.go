package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/boltbox"
)

// Each change leaves a record of who made it, what it was and what came of it, and so does what was
// refused. Nothing secret is in one.
//
// Mutation of audit.go: the audit trail holds the token of a URL.
func TestEveryChangeIsRecorded(t *testing.T) {
	r := newRig(t)
	r.o.Link = &auditedLink{engine: r.box}
	r.policy(api.PolicyOpen)
	r.by(api.CallerMCP, "claude\x1b[31m-code")
	ctx := t.Context()
	const secret, token = "a-secret-of-the-user", "token-in-the-query"
	put, err := r.PutWebhook(ctx, api.PutWebhook{URL: "https://a.test/hook?t=" + token, Secret: new(secret), Headers: &map[string]string{"X-Api-Key": "a-secret-header"}})
	if err != nil {
		t.Fatal(err)
	}
	id := put.Webhook.ID
	r.addDead(outbox.SubID(id), 4)
	letters, err := r.DeadLetters(ctx, api.DeadLetterQuery{})
	if err != nil || len(letters.Items) != 4 {
		t.Fatal(letters, err)
	}
	first := api.DeadLetterFilter{IDs: []string{letters.Items[0].ID}}
	ask := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	_, err = r.PutWebhook(ctx, api.PutWebhook{URL: id, Events: &[]string{"message.sent"}, MaxRate: new(5.0)})
	ask(err)
	_, err = r.PauseWebhook(ctx, id)
	ask(err)
	_, err = r.PauseWebhook(ctx, id) // is no change
	ask(err)
	_, err = r.ResumeWebhook(ctx, api.ResumeWebhook{Webhook: id})
	ask(err)
	_, err = r.RotateSecret(ctx, api.RotateSecret{Webhook: id})
	ask(err)
	// neither is this
	_, err = r.Replay(ctx, api.ReplayRequest{DeadLetterFilter: first, DryRun: true})
	ask(err)
	_, err = r.Replay(ctx, api.ReplayRequest{DeadLetterFilter: first})
	ask(err)
	_, err = r.Purge(ctx, api.PurgeRequest{All: true, DryRun: true})
	ask(err)
	_, err = r.Purge(ctx, api.PurgeRequest{All: true})
	ask(err)
	_, err = r.Send(ctx, api.Send{To: "+49 151 5550123", Text: "a-secret-text"})
	ask(err)
	_, err = r.Send(ctx, api.Send{To: "1@lid", IdempotencyKey: "again", Reaction: &api.Reaction{}})
	ask(err)
	_, err = r.SendFile(ctx, api.Send{To: "1@lid", File: &api.File{Caption: "a-secret-text"}}, strings.NewReader("content"))
	ask(err)
	_, err = r.PairNow(ctx, api.PairRequest{})
	ask(err)
	_, err = r.Unpair(ctx, api.UnpairRequest{})
	ask(err)
	linked := api.Errorf(api.CodeAlreadyLinked, "an account is linked already")
	r.o.Link = &auditedLink{pair: linked}
	_, err = r.RemoveWebhook(ctx, api.RemoveWebhook{Webhook: id, Purge: true})
	ask(err)
	for _, refused := range []error{
		errorOf(r.PutWebhook(ctx, api.PutWebhook{URL: "https://user:a-secret@b.test/x?t=" + token})),
		errorOf(r.PauseWebhook(ctx, "wh_none")),
		errorOf(r.RemoveWebhook(ctx, api.RemoveWebhook{})),
		errorOf(r.RotateSecret(ctx, api.RotateSecret{Webhook: "wh_none", Secret: new(secret), Promote: true})),
		errorOf(r.Send(ctx, api.Send{To: "+49 1", File: &api.File{Path: "/etc/private"}})),
		errorOf(r.ReplayEvents(ctx, api.ReplayEvents{})),
		errorOf(r.Unpair(ctx, api.UnpairRequest{Approval: api.ApprovalDeclined})),
		errorOf(r.PairNow(ctx, api.PairRequest{})),
		r.Pair(ctx, api.PairRequest{}, nil),
	} {
		if refused == nil {
			t.Error("something was not refused")
		}
	}
	var got []string
	for _, a := range r.audit() {
		got = append(got, strings.Join([]string{a.Operation, a.Object, a.URL, strings.Join(a.Fields, "+"), a.Result, a.Outcome, a.Code}, "|"))
		if a.Caller != api.CallerMCP || a.Client != `claude\u001b[31m-code` || a.ClientVersion != "1.2" || time.Since(a.At) > time.Hour || a.ID == "" {
			t.Errorf("%+v", a)
		}
		if all := fmt.Sprintf("%+v", a); strings.Contains(all, "a-secret") || strings.Contains(all, token) {
			t.Errorf("a record holds a secret: %s", all)
		}
	}
	const url = "https://a.test/hook?…"
	want := []string{
		"webhook.add|" + id + "|" + url + "|url+events+secret+headers|created|done|",
		"webhook.add|" + id + "|" + url + "|events+max_rate|updated|done|",
		"webhook.pause|" + id + "|" + url + "|||done|",
		"webhook.resume|" + id + "|" + url + "|||done|",
		"webhook.rotate-secret|" + id + "|" + url + "|secret+previous_secret|rotated|done|",
		"deadletter.replay|" + id + "|" + url + "||1 dead letter|done|",
		"deadletter.purge|" + id + "|" + url + "||3 dead letters|done|",
		"message.send|49151@lid|||3EB0SENT|done|",
		"message.react|49151@lid|||3EB0SENT (repeated)|done|",
		"message.send|49151@lid||file|3EB0SENT|done|",
		"link.pair||||asked for, by QR code|done|",
		"link.unpair|1@s.whatsapp.net||||done|",
		"webhook.remove|" + id + "|" + url + "|||done|",
		"webhook.purge|" + id + "|" + url + "||1 dead letter|done|",
		"webhook.add||https://b.test/x?…|||refused|invalid_url",
		"webhook.pause|wh_none||||refused|webhook_not_found",
		"webhook.remove|||||refused|invalid_arguments",
		"webhook.rotate-secret|wh_none||||refused|invalid_arguments",
		"message.send|+49 1||file||refused|path_not_allowed",
		"event.replay|||||refused|invalid_arguments",
		"link.unpair|1@s.whatsapp.net||||refused|approval_declined",
		"link.pair|||||refused|already_linked",
		"link.pair|||||refused|already_linked",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the audit trail is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func errorOf[T any](_ T, err error) error { return err }

// anyLink lets a link be embedded that has a method of that name.
type anyLink = Link

// auditedLink is a link that sends everything.
type auditedLink struct {
	anyLink

	engine *boltbox.Box // of its sends
	pair   error        // of pairing
}

func (*auditedLink) Link() api.Link {
	return api.Link{State: api.LinkConnected, Account: "1@s.whatsapp.net"}
}
func (l *auditedLink) Send(ctx context.Context, in api.Send, record ...outbox.SendRecorder) (api.SendResult, error) {
	out := api.SendResult{MessageID: "3EB0SENT", Chat: "49151@lid", Repeated: in.IdempotencyKey != ""}
	if out.Repeated {
		return out, nil
	}
	a, err := record[0](out.MessageID, out.Chat)
	if err != nil {
		return out, err
	}
	entry := outbox.Send{MessageID: out.MessageID, State: outbox.SendSent, SettledAt: time.Now(), Audit: []outbox.Audit{a}}
	return out, l.engine.PutSend(ctx, entry)
}
func (l *auditedLink) SendFile(ctx context.Context, in api.Send, _ io.Reader, record ...outbox.SendRecorder) (api.SendResult, error) {
	return l.Send(ctx, in, record...)
}
func (l *auditedLink) PairNow(context.Context, api.PairRequest) (api.PairStep, error) {
	return api.PairStep{}, l.pair
}
func (l *auditedLink) Pair(context.Context, api.PairRequest, func(api.PairStep) error) error {
	return l.pair
}
func (*auditedLink) Unpair(context.Context) (api.UnpairResult, error) { return api.UnpairResult{}, nil }

// A change whose record cannot be written is not made, and the other way round: they are one write.
//
// Mutation of webhook_put.go: the record is not in the transaction of its change.
func TestAChangeAndItsRecordAreOneWrite(t *testing.T) {
	r := newRig(t)
	r.by(api.CallerMCP, strings.Repeat("n", 5000)) // a name is cut, not refused
	id := r.put("http://localhost/hook").Webhook.ID
	full := &fullTrail{Engine: r.o.Engine}
	r.o.Engine = full
	if _, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: id, MaxRate: new(7.0)}); err == nil {
		t.Error("a webhook was changed without a record")
	}
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id}); err == nil {
		t.Error("a webhook was removed without a record")
	}
	r.o.Engine = full.Engine
	if w, err := r.Webhook(t.Context(), id); err != nil || w.MaxRate != 0 {
		t.Errorf("it is %+v, %v", w, err)
	}
	all := r.audit()
	if len(all) != 1 || len(all[0].Client) > maxAuditText+len("…") {
		t.Errorf("the audit trail is %+v", all)
	}
	// what is outside the file is done all the same: the record comes after it
	r.o.Engine = full
	if _, err := r.AllowHost(t.Context(), api.AllowHost{}); err != nil {
		t.Error(err)
	}
}

// fullTrail takes no audit record.
type fullTrail struct{ Engine }

func (f *fullTrail) PutSub(ctx context.Context, s outbox.Subscription, audit ...outbox.Audit) (outbox.Subscription, error) {
	for i := range audit {
		audit[i].Body = make([]byte, outbox.MaxAuditBody+1)
	}
	return f.Engine.PutSub(ctx, s, audit...)
}
func (f *fullTrail) PutAudit(context.Context, ...outbox.Audit) error { return errors.New("no room") }

// A flood of what is refused leaves a bounded number of records, and the next one says how many
// there were.
//
// Mutation of audit.go: a flood of what is refused fills the disk.
func TestAFloodOfRefusalsIsBounded(t *testing.T) {
	r := newRig(t)
	r.policy(api.PolicyLocked)
	r.by(api.CallerMCP, "looping")
	for i := range 3 * refusalsAtOnce {
		if _, err := r.PutWebhook(t.Context(), api.PutWebhook{URL: fmt.Sprintf("https://evil%d.test/", i)}); err == nil {
			t.Fatal("it was registered")
		}
	}
	all := r.audit()
	// one more for each pause that this took on a slow machine
	if n := len(all); n < refusalsAtOnce || n > 2*refusalsAtOnce {
		t.Fatalf("%d refusals left %d records", 3*refusalsAtOnce, n)
	}
	r.trail.refusals.SetBurst(1 << 20)
	r.trail.refusals.SetLimit(1e9)
	if _, err := r.PauseWebhook(t.Context(), "wh_none"); err == nil {
		t.Fatal("there is such a webhook")
	}
	recorded, last := int64(len(all)), r.audit()
	for _, a := range all {
		recorded += a.Unrecorded
	}
	if n := last[len(last)-1].Unrecorded; recorded+n != 3*refusalsAtOnce {
		t.Errorf("%d are recorded, and %d are not", recorded, n)
	}
}

// What is told to WhatsApp without a message, and a message that was sent before, are recorded
// beside the sends and not among them: however many there are, what was sent stays on record.
//
// Mutation of link.go: an agent that marks messages as read in a loop pushes what was sent out of
// the audit trail.
// Mutation of link.go: what marked messages as read stands in the audit trail as if it had been
// sent.
func TestSignalsTakeNoRoomOfSends(t *testing.T) {
	r := newRig(t)
	r.by(api.CallerMCP, "looping")
	r.o.Link = &watchedLink{during: func() {}, state: api.LinkConnected}
	if _, err := r.MarkRead(t.Context(), api.MarkRead{Messages: []api.MessageRef{{Chat: "1@lid", ID: "3A"}}}); err != nil {
		t.Error(err)
	}
	if _, err := r.WatchPresence(t.Context(), api.WatchPresence{Of: "1@lid"}); err != nil {
		t.Error(err)
	}
	var failed error
	r.sent(t.Context(), api.Send{To: "1@lid", Text: "x"}, &api.SendResult{MessageID: "3B", Repeated: true}, &failed)
	all, err := r.box.Audits(t.Context(), outbox.AuditQuery{})
	if err != nil || len(all) != 5 { // two of them in two halves
		t.Fatalf("%d records, %v", len(all), err)
	}
	for _, a := range all {
		if a.Kind != outbox.AuditSignal {
			t.Errorf("a record of kind %d: %s", a.Kind, a.Body)
		}
	}
}

func TestAuditQueries(t *testing.T) {
	r := newRig(t)
	_, err := r.Audit(t.Context(), api.AuditQuery{Limit: -1})
	wantError(t, err, api.CodeInvalidArguments, "limit -1")
	for _, cursor := range []string{"x", "au_", "au_1-2", "au_0-1-1", "au_-5-1-1", "au_zz-1-1", "au_ffffffffffffffffff-1-1", "1-2-3"} {
		_, err := r.Audit(t.Context(), api.AuditQuery{Cursor: cursor})
		wantError(t, err, api.CodeInvalidCursor, "newest record")
	}
	if page, err := r.Audit(t.Context(), api.AuditQuery{}); err != nil || page.Items == nil || len(page.Items) != 0 || page.Next != "" {
		t.Errorf("an empty trail: %+v, %v", page, err)
	}
	r.put("http://localhost/1")
	r.put("http://localhost/2")
	all := r.audit()
	page, err := r.Audit(t.Context(), api.AuditQuery{Since: all[1].At})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != all[1].ID {
		t.Errorf("since the second: %+v, %v", page, err)
	}
	page, err = r.Audit(t.Context(), api.AuditQuery{Cursor: all[1].ID})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != all[0].ID {
		t.Errorf("before the second: %+v, %v", page, err)
	}
}
