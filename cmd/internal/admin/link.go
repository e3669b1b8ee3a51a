package admin

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// noLink returns what needs the WhatsApp link while no service runs.
func (s *Service) noLink() error {
	if s.o.Link == nil {
		return api.Retryf(api.CodeServiceUnavail, "no service runs, and this needs the WhatsApp link. Start it with: %s", s.command("start"))
	}
	return nil
}

// Pair starts or joins a pairing session.
func (s *Service) Pair(ctx context.Context, in api.PairRequest, step func(api.PairStep) error) error {
	if err := s.noLink(); err != nil {
		return err
	}
	asked := s.pairingAsked(ctx, in)
	err := s.o.Link.Pair(ctx, in, func(p api.PairStep) error {
		asked(nil)
		return step(p)
	})
	asked(err)
	return err
}

// PairNow returns what a pairing session shows now, starting one if none runs.
func (s *Service) PairNow(ctx context.Context, in api.PairRequest) (api.PairStep, error) {
	if err := s.noLink(); err != nil {
		return api.PairStep{}, err
	}
	asked := s.pairingAsked(ctx, in)
	step, err := s.o.Link.PairNow(ctx, in)
	asked(err)
	return step, err
}

// ContinuePairing gives a pairing session what it waits for.
func (s *Service) ContinuePairing(ctx context.Context, in api.ContinuePairing) (out api.PairStep, err error) {
	if err := s.noLink(); err != nil {
		return api.PairStep{}, err
	}
	if !in.Cancel || s.o.Link.Link().State != api.LinkPairing {
		return s.o.Link.ContinuePairing(ctx, in)
	}
	o, err := s.beginOutside(ctx, outbox.AuditEntry{Operation: "link.cancel-pairing"})
	if err != nil {
		return out, err
	}
	defer o.ended(ctx, &err, func(e *outbox.AuditEntry) {
		if out.Step == api.StepLinked {
			e.Result = "too late: linked"
		}
	})
	return s.o.Link.ContinuePairing(ctx, in)
}

// Unpair logs the account out.
func (s *Service) Unpair(ctx context.Context, in api.UnpairRequest) (out api.UnpairResult, err error) {
	e := outbox.AuditEntry{Operation: "link.unpair", Object: s.account()}
	if err = s.mayDestroy(ctx, in.Approval, "log the account out", s.command("unpair")); err == nil {
		err = s.noLink()
	}
	if err != nil {
		s.refused(ctx, &err, e)
		return out, err
	}
	o, err := s.beginOutside(ctx, e)
	if err != nil {
		return out, err
	}
	defer o.ended(ctx, &err, func(e *outbox.AuditEntry) {
		if out.Account != "" && !out.Told {
			e.Warning = "WhatsApp could not be told"
		}
	})
	return s.o.Link.Unpair(ctx)
}

// Connect has the link connected again.
func (s *Service) Connect(ctx context.Context) (api.Link, error) {
	return s.changeLink(ctx, "link.connect", "the link is to be connected", Link.Connect)
}

// Disconnect closes the link until Connect.
func (s *Service) Disconnect(ctx context.Context) (api.Link, error) {
	return s.changeLink(ctx, "link.disconnect", "the link is to be closed", Link.Disconnect)
}

// changeLink opens or closes the link, between the two halves of its record.
func (s *Service) changeLink(ctx context.Context, operation, line string, change func(Link, context.Context) (api.Link, error)) (out api.Link, err error) {
	e := outbox.AuditEntry{Operation: operation}
	if err := s.noLink(); err != nil {
		s.refused(ctx, &err, e)
		return api.Link{}, err
	}
	o, err := s.beginOutside(ctx, e)
	if err != nil {
		return api.Link{}, err
	}
	defer o.ended(ctx, &err, nil)
	s.logChange(ctx, line)
	return change(s.o.Link, ctx)
}

// Send sends one message.
func (s *Service) Send(ctx context.Context, in api.Send) (out api.SendResult, err error) {
	defer func() { s.sent(ctx, in, &out, &err) }()
	if err := s.noLink(); err != nil {
		return api.SendResult{}, err
	}
	if in.File != nil {
		return s.sendNamedFile(ctx, in)
	}
	return s.o.Link.Send(ctx, in, s.sendRecorder(ctx, in))
}

// MarkRead sends read receipts, which the senders see: they are recorded, and however many there
// are, they take no room of the records of what was sent.
func (s *Service) MarkRead(ctx context.Context, in api.MarkRead) (out api.MarkReadResult, err error) {
	e := outbox.AuditEntry{Operation: "message.read", Result: plural(int64(len(in.Messages)), "message")}
	for i, m := range in.Messages {
		if i > 0 && m.Chat != e.Object {
			e.Object = "several chats"
			break
		}
		e.Object = m.Chat
	}
	o, err := s.beginSent(ctx, e)
	if err != nil {
		return out, err
	}
	defer o.ended(ctx, &err, nil)
	return s.o.Link.MarkRead(ctx, in)
}

// beginSent begins the record of something that is not stored with what is sent.
func (s *Service) beginSent(ctx context.Context, e outbox.AuditEntry) (*outside, error) {
	if err := s.noLink(); err != nil {
		s.refused(ctx, &err, e)
		return nil, err
	}
	return s.beginKind(ctx, outbox.AuditSignal, e)
}

// Typing shows the account as typing in a chat.
func (s *Service) Typing(ctx context.Context, in api.Typing) (api.TypingResult, error) {
	if err := s.noLink(); err != nil {
		return api.TypingResult{}, err
	}
	return s.o.Link.Typing(ctx, in)
}

// WatchPresence subscribes to a person's presence.
func (s *Service) WatchPresence(ctx context.Context, in api.WatchPresence) (out api.WatchPresenceResult, err error) {
	o, err := s.beginSent(ctx, outbox.AuditEntry{Operation: "presence.watch", Object: in.Of})
	if err != nil {
		return out, err
	}
	defer o.ended(ctx, &err, nil)
	return s.o.Link.WatchPresence(ctx, in)
}

// FindRecipients looks for people and groups.
func (s *Service) FindRecipients(ctx context.Context, in api.FindRecipients) (api.FoundRecipients, error) {
	if err := s.noLink(); err != nil {
		return api.FoundRecipients{}, err
	}
	return s.o.Link.FindRecipients(ctx, in)
}

// Groups returns the account's groups.
func (s *Service) Groups(ctx context.Context, in api.ListGroups) ([]api.Group, error) {
	if err := s.noLink(); err != nil {
		return nil, err
	}
	return s.o.Link.Groups(ctx, in)
}

// account is the account that is linked, "" for none.
func (s *Service) account() string {
	if s.o.Link == nil {
		return ""
	}
	return s.o.Link.Link().Account
}

// pairingAsked returns what records, at its first call, that somebody wants to link an account, or
// why he was refused. What comes of it is an event.
func (s *Service) pairingAsked(ctx context.Context, in api.PairRequest) func(err error) {
	if s.o.Link.Link().State == api.LinkPairing {
		return func(error) {} // whoever watches it asks again and again
	}
	e := outbox.AuditEntry{Operation: "link.pair"}
	by := "QR code"
	if in.Phone != "" {
		by = "phone code"
	}
	var once sync.Once
	return func(err error) {
		once.Do(func() {
			if _, ok := errors.AsType[*api.Error](err); ok {
				s.refused(ctx, &err, e)
				return
			}
			e.Result = "asked for, by " + by // whoever went away has asked, too
			s.done(ctx, outbox.AuditChange, e)
		})
	}
}

// aboutSend begins the record of a message. What is sent is in no record.
func aboutSend(in api.Send) outbox.AuditEntry {
	e := outbox.AuditEntry{Operation: "message.send", Object: in.To}
	switch {
	case in.File != nil:
		e.Fields = []string{"file"}
	case in.Reaction != nil:
		e.Operation = "message.react"
	case in.Edit != nil:
		e.Operation = "message.edit"
	case in.Delete != nil:
		e.Operation = "message.delete"
	}
	return e
}

// sendRecorder makes the record of who sent something to whom, which is stored with the message.
func (s *Service) sendRecorder(ctx context.Context, in api.Send) outbox.SendRecorder {
	return func(messageID, chat string) (outbox.Audit, error) {
		e := aboutSend(in)
		e.Object, e.Result = chat, messageID
		return s.record(ctx, outbox.AuditSend, e)
	}
}

// sent records, called deferred, why something was not sent, or that it was asked for again: the
// link records what was sent.
func (s *Service) sent(ctx context.Context, in api.Send, out *api.SendResult, err *error) {
	e := aboutSend(in)
	if *err != nil {
		s.refused(ctx, err, e)
		return
	}
	if out.Repeated {
		e.Object, e.Result = cmp.Or(out.Chat, e.Object), out.MessageID+" (repeated)"
		s.done(ctx, outbox.AuditSignal, e)
	}
}
