package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// waitStep is how often a wait looks; figures come from the times of arrival, not from when a wait
// ended.
const waitStep = 2 * time.Millisecond

// request is one line to the receiver process; exactly one of its fields is set. Each is answered
// by one line, a response.
type request struct {
	Open  []string     `json:"open,omitempty"` // close all endpoints and open one for each answer
	Reset bool         `json:"reset,omitempty"`
	Wait  *waitRequest `json:"wait,omitempty"`
	Take  *takeRequest `json:"take,omitempty"`
}

// waitRequest waits until each of the endpoints has N distinct events, or Limit has passed.
type waitRequest struct {
	Endpoints []int         `json:"endpoints"`
	N         int           `json:"n"`
	Limit     time.Duration `json:"limit"`
}

type takeRequest struct {
	Samples bool `json:"samples"`
}

// response is one line back; Error says why the request failed.
type response struct {
	Error     string       `json:"error,omitempty"`
	URLs      []string     `json:"urls,omitempty"`
	Endpoints []postCounts `json:"endpoints,omitempty"`
}

// receivers is the receiver process: the endpoints that its parent asked for.
type receivers struct{ endpoints []*endpoint }

// serveReceivers is `wabench receiver`: it reads requests line by line until its input ends, which
// it does when the parent ends.
func serveReceivers(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	s := &receivers{}
	defer func() { err = errors.Join(err, s.closeAll()) }()
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q request
		if err := dec.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		a, err := s.handle(ctx, q)
		if err != nil {
			a.Error = err.Error()
		}
		if err := enc.Encode(a); err != nil {
			return fmt.Errorf("write a response: %w", err)
		}
	}
}

func (s *receivers) handle(ctx context.Context, q request) (response, error) {
	switch {
	case q.Open != nil:
		return s.open(q.Open)
	case q.Reset:
		for _, e := range s.endpoints {
			e.reset()
		}
		return response{}, nil
	case q.Wait != nil:
		return response{}, s.wait(ctx, *q.Wait)
	case q.Take != nil:
		var a response
		for _, e := range s.endpoints {
			a.Endpoints = append(a.Endpoints, e.take(q.Take.Samples))
		}
		return a, nil
	}
	return response{}, errors.New("a request that asks for nothing")
}

func (s *receivers) open(answers []string) (response, error) {
	if err := s.closeAll(); err != nil {
		return response{}, err
	}
	var a response
	for _, answer := range answers {
		e, err := openEndpoint(answer)
		if err != nil {
			return response{}, err
		}
		s.endpoints = append(s.endpoints, e)
		a.URLs = append(a.URLs, e.url)
	}
	return a, nil
}

func (s *receivers) closeAll() error {
	var errs []error
	for _, e := range s.endpoints {
		errs = append(errs, e.close())
	}
	s.endpoints = nil
	return errors.Join(errs...)
}

func (s *receivers) wait(ctx context.Context, o waitRequest) error {
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
