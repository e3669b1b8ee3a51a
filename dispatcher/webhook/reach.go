package webhook

import (
	"context"
	"errors"

	"waoutbox/outbox"
)

// Reach connects to a webhook's endpoint as a delivery would, with every check of its address and
// the TLS handshake, and sends nothing. It returns the sentence a failed attempt would have.
func (s *Sender) Reach(ctx context.Context, w outbox.Webhook) error {
	c, err := newClient(w, s.opt.UserAgent, s.machine, s.opt.Own, s.resolver)
	if err != nil {
		return err
	}
	defer c.pool.Close()
	conn, err := c.dial(ctx)
	if err != nil {
		_, message := classify(err)
		return errors.New(bounded(c.withoutQuery(message)))
	}
	return conn.Close()
}
