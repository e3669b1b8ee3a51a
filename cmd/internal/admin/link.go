package admin

import (
	"context"

	"waoutbox/outbox/api"
)

// noLink returns what needs the WhatsApp link while no daemon runs.
func (s *Service) noLink() error {
	if s.o.Link == nil {
		return api.Retryf(api.CodeServiceUnavail, "no daemon runs, and this needs the WhatsApp link. Start it with: %s", s.command("start"))
	}
	return nil
}

// Pair starts or joins a pairing session.
func (s *Service) Pair(ctx context.Context, in api.PairRequest, step func(api.PairStep) error) error {
	if err := s.noLink(); err != nil {
		return err
	}
	return s.o.Link.Pair(ctx, in, step)
}

// PairNow returns what a pairing session shows now, starting one if none runs.
func (s *Service) PairNow(ctx context.Context, in api.PairRequest) (api.PairStep, error) {
	if err := s.noLink(); err != nil {
		return api.PairStep{}, err
	}
	return s.o.Link.PairNow(ctx, in)
}

// ContinuePairing gives a pairing session what it waits for.
func (s *Service) ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error) {
	if err := s.noLink(); err != nil {
		return api.PairStep{}, err
	}
	return s.o.Link.ContinuePairing(ctx, in)
}

// Unpair logs the account out.
func (s *Service) Unpair(ctx context.Context) (api.UnpairResult, error) {
	if err := s.noLink(); err != nil {
		return api.UnpairResult{}, err
	}
	return s.o.Link.Unpair(ctx)
}

// Connect has the link connected again.
func (s *Service) Connect(ctx context.Context) (api.Link, error) {
	if err := s.noLink(); err != nil {
		return api.Link{}, err
	}
	s.logChange(ctx, "the link is to be connected")
	return s.o.Link.Connect(ctx)
}

// Disconnect closes the link until Connect.
func (s *Service) Disconnect(ctx context.Context) (api.Link, error) {
	if err := s.noLink(); err != nil {
		return api.Link{}, err
	}
	s.logChange(ctx, "the link is to be closed")
	return s.o.Link.Disconnect(ctx)
}

// Send sends one message.
func (s *Service) Send(ctx context.Context, in api.Send) (api.SendResult, error) {
	if err := s.noLink(); err != nil {
		return api.SendResult{}, err
	}
	if in.File != nil {
		return s.sendNamedFile(ctx, in)
	}
	return s.o.Link.Send(ctx, in)
}

// MarkRead sends read receipts.
func (s *Service) MarkRead(ctx context.Context, in api.MarkRead) (api.MarkReadResult, error) {
	if err := s.noLink(); err != nil {
		return api.MarkReadResult{}, err
	}
	return s.o.Link.MarkRead(ctx, in)
}

// Typing shows the account as typing in a chat.
func (s *Service) Typing(ctx context.Context, in api.Typing) (api.TypingResult, error) {
	if err := s.noLink(); err != nil {
		return api.TypingResult{}, err
	}
	return s.o.Link.Typing(ctx, in)
}

// WatchPresence subscribes to a person's presence.
func (s *Service) WatchPresence(ctx context.Context, in api.WatchPresence) (api.WatchPresenceResult, error) {
	if err := s.noLink(); err != nil {
		return api.WatchPresenceResult{}, err
	}
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
