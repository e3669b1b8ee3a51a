package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// waitStep is how often a wait looks; figures come from the times of arrival, not from when a wait ended.
const waitStep = 2 * time.Millisecond

// order is one line to the receiver process; exactly one of its fields is set. Every order is answered by one line.
type order struct {
	Open  []string   `json:"open,omitempty"` // close all endpoints and open one for each answer
	Reset bool       `json:"reset,omitempty"`
	Wait  *waitOrder `json:"wait,omitempty"`
	Take  *takeOrder `json:"take,omitempty"`
}

// waitOrder waits until each of the endpoints has N distinct events, or Limit has passed.
type waitOrder struct {
	Endpoints []int         `json:"endpoints"`
	N         int           `json:"n"`
	Limit     time.Duration `json:"limit"`
}

type takeOrder struct {
	Samples bool `json:"samples"`
}

// reply answers an order.
type reply struct {
	Error     string    `json:"error,omitempty"`
	URLs      []string  `json:"urls,omitempty"`
	Endpoints []tallied `json:"endpoints,omitempty"`
}

// sink is the receiver process: endpoints, and the orders of its parent.
type sink struct{ endpoints []*endpoint }

// serveSink is `wabench receiver`: it reads orders line by line until its input ends, which it does when the parent goes.
func serveSink(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	s := &sink{}
	defer func() { err = errors.Join(err, s.closeAll()) }()
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var o order
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		a, err := s.obey(ctx, o)
		if err != nil {
			a.Error = err.Error()
		}
		if err := enc.Encode(a); err != nil {
			return fmt.Errorf("answer an order: %w", err)
		}
	}
}

func (s *sink) obey(ctx context.Context, o order) (reply, error) {
	switch {
	case o.Open != nil:
		return s.open(o.Open)
	case o.Reset:
		for _, e := range s.endpoints {
			e.reset()
		}
		return reply{}, nil
	case o.Wait != nil:
		return reply{}, s.wait(ctx, *o.Wait)
	case o.Take != nil:
		var a reply
		for _, e := range s.endpoints {
			a.Endpoints = append(a.Endpoints, e.take(o.Take.Samples))
		}
		return a, nil
	}
	return reply{}, errors.New("an order without a content")
}

func (s *sink) open(answers []string) (reply, error) {
	if err := s.closeAll(); err != nil {
		return reply{}, err
	}
	var a reply
	for _, answer := range answers {
		e, err := openEndpoint(answer)
		if err != nil {
			return reply{}, err
		}
		s.endpoints = append(s.endpoints, e)
		a.URLs = append(a.URLs, e.url)
	}
	return a, nil
}

func (s *sink) closeAll() error {
	var errs []error
	for _, e := range s.endpoints {
		errs = append(errs, e.close())
	}
	s.endpoints = nil
	return errors.Join(errs...)
}

func (s *sink) wait(ctx context.Context, o waitOrder) error {
	ctx, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	tick := time.NewTicker(waitStep)
	defer tick.Stop()
	for {
		lowest, at := o.N, 0
		for _, i := range o.Endpoints {
			if i < 0 || i >= len(s.endpoints) {
				return fmt.Errorf("there is no endpoint %d", i)
			}
			if n := s.endpoints[i].distinct(); n < lowest {
				lowest, at = n, i
			}
		}
		if lowest >= o.N {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("endpoint %d has %d of %d events after %v", at, lowest, o.N, o.Limit)
		}
	}
}
