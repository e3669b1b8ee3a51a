package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// rawClient is the limit deliveries are read against: net/http and one HMAC, nothing else. Safe for
// concurrent use.
type rawClient struct{ transport *http.Transport }

func newRawClient(connections int) *rawClient {
	return &rawClient{transport: &http.Transport{
		MaxIdleConns: connections, MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, IdleConnTimeout: time.Minute,
	}}
}

func (c *rawClient) close() { c.transport.CloseIdleConnections() }

// post makes one signed POST; anything but a 2xx is an error.
func (c *rawClient) post(ctx context.Context, url string, seq int, b []byte) error {
	return c.send(ctx, url, seq, b, sign(b))
}

func (c *rawClient) send(ctx context.Context, url string, seq int, b []byte, signature string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Webhook-Signature", signature)
	req.Header.Set("X-Webhook-Sequence", strconv.Itoa(seq))
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("POST: %s", res.Status)
	}
	return nil
}

// postMany makes n signed POSTs over the given number of connections, spread over urls, as fast as
// they go.
func (c *rawClient) postMany(ctx context.Context, urls []string, n, connections int) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, connections)
	for range connections {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if err := c.post(ctx, urls[i%len(urls)], i, body(time.Now())); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed // nil when there is none
}
