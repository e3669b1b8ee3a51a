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
	resp, err := c.request(ctx, string(routePair), in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxLineBytes))
		if err != nil {
			return c.cutOff(ctx)
		}
		return c.decodeFailure(resp, raw)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLineBytes)
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
