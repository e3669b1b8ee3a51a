package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// idleStreams is how many streams of events one client holds: as many as a service has open.
const idleStreams = 16

// streams returns what streams on which nothing comes cost the service and the process of their
// client, together: its memory of before is that of an idle one.
func (x mcpCall) streams(ctx context.Context, state string, service int) (cost int64, err error) {
	s, err := x.session(ctx, state)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.call("whatsapp_connection_status"); err != nil {
		return 0, err
	}
	held := func() (sum int64, err error) {
		if err := rest(ctx, x.settle); err != nil {
			return 0, err
		}
		for _, pid := range []int{service, s.cmd.Process.Pid} {
			n, ok := processAnon(pid)
			if !ok {
				return 0, errors.New("the process has ended")
			}
			sum += n
		}
		return sum, nil
	}
	before, err := held()
	if err != nil {
		return 0, err
	}
	for i := range idleStreams {
		if _, err := fmt.Fprintf(s.in, `{"jsonrpc":"2.0","id":"s%d","method":"events/stream","params":{"name":"presence.update"}}`+"\n", i); err != nil {
			return 0, err
		}
		line, err := s.out.ReadBytes('\n')
		if err != nil || !bytes.Contains(line, []byte("notifications/events/active")) {
			return 0, fmt.Errorf("stream %d: %.200q, %w", i, line, err)
		}
	}
	after, err := held()
	return after - before, err
}
