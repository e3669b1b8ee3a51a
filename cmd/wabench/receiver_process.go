package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// receiversStop is how long the receiver process may take to end once its input is closed.
const receiversStop = 5 * time.Second

// receiverProcess is the receiver process as its parent sees it. One request at a time; not safe
// for concurrent use.
type receiverProcess struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	enc  *json.Encoder
	dec  *json.Decoder
	urls []string
}

// startReceivers runs this program again as `wabench receiver`. It is killed when ctx ends, and
// ends by itself when this process does.
func startReceivers(ctx context.Context) (*receiverProcess, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program to run it as receiver: %w", err)
	}
	cmd := exec.CommandContext(ctx, exe, "receiver")
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = receiversStop
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the receiver: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the receiver: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the receiver: %w", err)
	}
	return &receiverProcess{cmd: cmd, in: in, enc: json.NewEncoder(in), dec: json.NewDecoder(out)}, nil
}

// close lets the process end by itself, and kills it if it does not.
func (p *receiverProcess) close() error {
	err := p.in.Close()
	kill := time.AfterFunc(receiversStop, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	if werr := p.cmd.Wait(); werr != nil && p.cmd.ProcessState == nil {
		err = errors.Join(err, fmt.Errorf("end the receiver: %w", werr))
	}
	return err
}

func (p *receiverProcess) ask(q request) (response, error) {
	if err := p.enc.Encode(q); err != nil {
		return response{}, fmt.Errorf("ask the receiver: %w", err)
	}
	var a response
	if err := p.dec.Decode(&a); err != nil {
		return response{}, fmt.Errorf("read the response of the receiver: %w", err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("receiver: %s", a.Error)
	}
	return a, nil
}

// open replaces all endpoints and returns their URLs.
func (p *receiverProcess) open(answers ...string) ([]string, error) {
	a, err := p.ask(request{Open: answers})
	p.urls = a.URLs
	return a.URLs, err
}

// reset forgets what was counted.
func (p *receiverProcess) reset() error {
	_, err := p.ask(request{Reset: true})
	return err
}

// wait blocks until each of the first endpoints has n distinct events, at most limit.
func (p *receiverProcess) wait(endpoints, n int, limit time.Duration) error {
	w := waitRequest{N: n, Limit: limit}
	for i := range endpoints {
		w.Endpoints = append(w.Endpoints, i)
	}
	_, err := p.ask(request{Wait: &w})
	return err
}

// take returns what the endpoints counted. POSTs that were not signed as they must be are an error:
// no figure stands on them.
func (p *receiverProcess) take(samples bool) ([]postCounts, error) {
	a, err := p.ask(request{Take: &takeRequest{Samples: samples}})
	if err != nil {
		return nil, err
	}
	for i, t := range a.Endpoints {
		if t.Invalid > 0 {
			return nil, fmt.Errorf("endpoint %d got %d POSTs with a wrong signature or sequence", i, t.Invalid)
		}
	}
	return a.Endpoints, nil
}
