package wasim

import (
	"context"
	"fmt"
)

// readRoutes tell what happened, and wait until something has.
func readRoutes() []route {
	return []route{
		{"GET", "/acked", "what the companion acknowledged, in order; class filters, after skips so many", "?class=message&after=0", controlAcked},
		{"GET", "/pending", "what is queued or sent and not acknowledged, in order", "?class=message", controlPending},
		{"GET", "/received", "what a contact received from the companion", "?contact=Bob", controlReceived},
		{"GET", "/receipts", "which receipts the companion sent to a contact", "?contact=Bob", controlReceipts},
		{"GET", "/wait", "block until the companion is online, everything is drained, or a contact has received count messages", "?for=received&contact=Bob&count=1", controlWait},
	}
}

func filterAcks(list []Ack, in request) map[string]any {
	out := []Ack{}
	for _, a := range list {
		if in.Class == "" || a.Class == in.Class {
			out = append(out, a)
		}
	}
	total := len(out)
	out = out[min(max(in.After, 0), total):]
	return map[string]any{"stanzas": out, "total": total}
}

func controlAcked(_ context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	return filterAcks(a.Acked(), in), nil
}

func controlPending(_ context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	return filterAcks(a.Pending(), in), nil
}

func (s *Server) contactOf(in request) (*Contact, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	return a.findContact(in.Contact)
}

func controlReceived(_ context.Context, s *Server, in request) (any, error) {
	c, err := s.contactOf(in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"messages": append([]Received{}, c.Received()...)}, nil
}

func controlReceipts(_ context.Context, s *Server, in request) (any, error) {
	c, err := s.contactOf(in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"receipts": append([]CompanionReceipt{}, c.Receipts()...)}, nil
}

func controlWait(ctx context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	switch in.For {
	case "online":
		return nil, a.WaitOnline(ctx)
	case "drained":
		return nil, a.WaitDrained(ctx)
	case "received":
		c, err := a.findContact(in.Contact)
		if err != nil {
			return nil, err
		}
		return nil, c.WaitReceived(ctx, in.Count)
	}
	return nil, fmt.Errorf("for %q is not online, drained or received", in.For)
}
