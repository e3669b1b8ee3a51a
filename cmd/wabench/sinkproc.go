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

// sinkStop is how long the receiver process may take to end once its input is closed.
const sinkStop = 5 * time.Second

// sinkProc is the receiver process as its parent sees it. One order at a time; not safe for concurrent use.
type sinkProc struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	enc  *json.Encoder
	dec  *json.Decoder
	urls []string
}

// startSink runs this program again as `wabench receiver`. It is killed when ctx ends, and ends by itself when this process does.
func startSink(ctx context.Context) (*sinkProc, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program to run it as receiver: %w", err)
	}
	cmd := exec.CommandContext(ctx, exe, "receiver")
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = sinkStop
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
	return &sinkProc{cmd: cmd, in: in, enc: json.NewEncoder(in), dec: json.NewDecoder(out)}, nil
}

// close lets the process end by itself, and kills it if it does not.
func (p *sinkProc) close() error {
	err := p.in.Close()
	kill := time.AfterFunc(sinkStop, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	if werr := p.cmd.Wait(); werr != nil && p.cmd.ProcessState == nil {
		err = errors.Join(err, fmt.Errorf("end the receiver: %w", werr))
	}
	return err
}

func (p *sinkProc) ask(o order) (reply, error) {
	if err := p.enc.Encode(o); err != nil {
		return reply{}, fmt.Errorf("ask the receiver: %w", err)
	}
	var a reply
	if err := p.dec.Decode(&a); err != nil {
		return reply{}, fmt.Errorf("hear the receiver: %w", err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("receiver: %s", a.Error)
	}
	return a, nil
}

// open replaces all endpoints and answers their URLs.
func (p *sinkProc) open(answers ...string) ([]string, error) {
	a, err := p.ask(order{Open: answers})
	p.urls = a.URLs
	return a.URLs, err
}

// reset forgets what was counted.
func (p *sinkProc) reset() error {
	_, err := p.ask(order{Reset: true})
	return err
}

// wait blocks until each of the first endpoints has n distinct events, at most limit.
func (p *sinkProc) wait(endpoints, n int, limit time.Duration) error {
	w := waitOrder{N: n, Limit: limit}
	for i := range endpoints {
		w.Endpoints = append(w.Endpoints, i)
	}
	_, err := p.ask(order{Wait: &w})
	return err
}

// take answers what the endpoints counted. POSTs that were not signed as they must be are an error: no figure stands on them.
func (p *sinkProc) take(samples bool) ([]tallied, error) {
	a, err := p.ask(order{Take: &takeOrder{Samples: samples}})
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
