package admin

import (
	"context"

	"waoutbox/outbox/api"
)

// noLink answers what needs the WhatsApp link while no daemon runs.
func (s *Service) noLink() error {
	if s.o.Link == nil {
		return api.Retryf(api.CodeServiceUnavail, "no daemon runs, and this needs the WhatsApp link. Start it with: waoutbox start")
	}
	return nil
}

// Pair starts or joins a pairing round.
func (s *Service) Pair(ctx context.Context, step func(api.PairStep) error) error {
	if err := s.noLink(); err != nil {
		return err
	}
	return s.o.Link.Pair(ctx, step)
}

// QR answers the current code of a pairing round, starting one if none runs.
func (s *Service) QR(ctx context.Context) (api.PairStep, error) {
	if err := s.noLink(); err != nil {
		return api.PairStep{}, err
	}
	return s.o.Link.QR(ctx)
}

// SendText sends one text message.
func (s *Service) SendText(ctx context.Context, in api.SendText) (api.SendResult, error) {
	if err := s.noLink(); err != nil {
		return api.SendResult{}, err
	}
	return s.o.Link.SendText(ctx, in)
}
