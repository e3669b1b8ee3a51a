package control

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"waoutbox/outbox/api"
)

// Pair is api.Service's Pair. It has no time limit of its own: a pairing session ends by itself
// after a few minutes.
func (c *Client) Pair(ctx context.Context, in api.PairRequest, step func(api.PairStep) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // also ends the daemon's side of the stream
	resp, lines, err := c.openLines(ctx, string(routePair), in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for lines.Scan() {
		var line api.PairStep
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return c.unreadable(resp)
		}
		if line.Step == pairEnd {
			if line.Error != nil {
				return line.Error
			}
			return nil
		}
		if err := step(line); err != nil {
			return err
		}
	}
	return c.cutOff(ctx)
}

// StreamOccurrences is api.Service's. It has no time limit of its own.
func (c *Client) StreamOccurrences(ctx context.Context, q api.OccurrenceQuery, each func(api.OccurrencePage) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // also ends the daemon's side of the stream
	resp, lines, err := c.openLines(ctx, string(routeStreamOccurrences), q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for lines.Scan() {
		var line occurrenceLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Page == nil && line.Error == nil {
			return c.unreadable(resp)
		}
		if line.Error != nil {
			return line.Error
		}
		if err := each(*line.Page); err != nil {
			return err
		}
	}
	return c.cutOff(ctx)
}

// openLines makes a request whose response is one JSON value a line, and lasts. The caller closes
// its body, and ends ctx to end the daemon's side.
func (c *Client) openLines(ctx context.Context, route string, in any) (*http.Response, *bufio.Scanner, error) {
	resp, err := c.request(ctx, route, in)
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxLineBytes))
		if err != nil {
			return nil, nil, c.cutOff(ctx)
		}
		return nil, nil, c.decodeFailure(resp, raw)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLineBytes)
	return resp, lines, nil
}
