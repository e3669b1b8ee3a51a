package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/openapitest"
	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
)

// calls are requests by chance to the operations that docs/openapi.json describes.
type calls struct {
	t     *testing.T
	doc   *openapitest.Document
	url   string
	token string
	http  *http.Client
	seen  map[int]int // responses by status
}

// openAPI starts a linked service with a message, a file, a webhook that works and one with dead
// letters, and returns the texts that name them.
func (r *rig) openAPI() (*calls, map[string][]string) {
	r.t.Helper()
	doc, err := openapitest.Read("../../../docs/openapi.json")
	if err != nil {
		r.t.Fatal(err)
	}
	r.serve("--http", "127.0.0.1:0")
	r.pair()
	bob := r.phone.NewContact("Bob", "15550100123")
	recv, dead := r.receiver(receiver.Options{}), r.receiver(receiver.Options{})
	works := r.addWebhook(recv.URL(), secret)
	failed := r.deadLetters(dead, 3, bob)
	id, _, err := bob.SendMedia(r.within(time.Minute), wasim.Image, []byte("\xff\xd8\xff\xe0 some picture"), wasim.MediaOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	ev := r.arrived(id)
	letters := []string{}
	for seq := range ev.Sequence {
		letters = append(letters, fmt.Sprintf("dl_%s_%d", failed.ID, seq))
	}
	known := map[string][]string{
		"webhook": {works.ID, failed.ID, works.URL, failed.URL}, "url": {works.ID, failed.URL, "http://127.0.0.1:1/x"},
		"ids": letters, "id": append([]string{ev.ID, strconv.FormatUint(ev.Sequence, 10), id}, letters...), "message_id": {id},
		"to": {"15550100123", ev.Chat}, "of": {ev.Chat}, "chat": {ev.Chat}, "event": {"message.received"}, "events": {"*", "message.sent"},
		"query": {"Bob", "15550100123"}, "reason": {"503"}, "overlap": {"0s", "1h"}, "schedule": {"0s", "1s"}, "secret": {secret}, "emoji": {"👍", ""},
		"text": {"Hello"}, "path": {"/nowhere/file"}, "name": {"a.txt"}, "phones": {"15550100123"},
	}
	return &calls{r.t, doc, r.status().Daemon.HTTP.URL, r.token(), &http.Client{Timeout: 45 * time.Second}, map[int]int{}}, known
}

// do sends one request, and checks what must hold of every response.
func (c *calls) do(kind string, r openapitest.Request) (status int, failure openapitest.Failure) {
	c.t.Helper()
	req := r.HTTP(context.Background(), c.url)
	req.Header.Set("Authorization", "Bearer "+c.token)
	what := fmt.Sprintf("%s %s %.300s %q", kind, req.Method, req.URL, r.Body)
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Errorf("%s: %v", what, err)
		return 0, failure
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Errorf("%s: %v", what, err)
	}
	c.seen[resp.StatusCode]++
	if resp.StatusCode == http.StatusInternalServerError {
		c.t.Errorf("%s: %d %s", what, resp.StatusCode, body)
	}
	if req.Method == http.MethodHead {
		return resp.StatusCode, failure
	}
	if openapitest.Success(resp.StatusCode) {
		if err := c.doc.Check(r.Op, resp.StatusCode, resp.Header.Get("Content-Type"), body); err != nil {
			c.t.Errorf("%s: %v", what, err)
		}
		return resp.StatusCode, failure
	}
	if failure, err = openapitest.FailureOf(body); err != nil || failure.Error.Code == "" || failure.Error.Message == "" {
		c.t.Errorf("%s: %d gives no reason: %.300s", what, resp.StatusCode, body)
	}
	if resp.StatusCode == http.StatusBadRequest && failure.Error.Field == "" {
		c.t.Errorf("%s: names no field: %.300s", what, body)
	}
	if err := c.doc.Check(r.Op, resp.StatusCode, resp.Header.Get("Content-Type"), body); err != nil {
		c.t.Errorf("%s: %v", what, err)
	}
	return resp.StatusCode, failure
}

// TestOpenAPIRequests sends valid, nearly valid and wild requests to each operation: there is never
// a 500, each failure names the field or the reason, each response is as described, and nothing
// hangs. WAOUTBOX_REQUESTS says how many of each, WAOUTBOX_SEED which.
func TestOpenAPIRequests(t *testing.T) {
	t.Parallel()
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	each, seed := number("WAOUTBOX_REQUESTS", 6), number("WAOUTBOX_SEED", 1)
	r := newRig(t)
	c, known := r.openAPI()
	m := openapitest.NewMaker(c.doc, uint64(seed))
	m.Strings, m.Most = known, 1
	// they end what the others need, and go on for as long as the person takes
	last := []string{"unpair", "disconnect", "pair", "getPairingCode", "continuePairing"}
	for _, op := range c.doc.Operations() {
		if !strings.HasPrefix(op.Path, "/v1/") {
			continue
		}
		for range each {
			if !slices.Contains(last, op.ID) {
				valid := m.Valid(op)
				if valid.Query.Has("wait_seconds") {
					valid.Query.Set("wait_seconds", "1")
				}
				c.do("valid", valid)
			}
			nearly, ok := m.Nearly(op)
			if status, f := c.do("nearly valid", nearly); ok && (status != http.StatusBadRequest || !strings.HasPrefix(f.Error.Field, nearly.Field)) {
				t.Errorf("seed %d: %s with a wrong %s: %d %+v\n%v %v", seed, op.ID, nearly.Field, status, f.Error, nearly.Query, nearly.Body)
			}
			if wild := m.Wild(op); !slices.Contains(last, op.ID) {
				c.do("wild", wild)
			}
		}
	}
	t.Logf("responses by status: %v", c.seen)
	if c.seen[200] == 0 || c.seen[400] == 0 || c.seen[404] == 0 || c.seen[405] == 0 || c.seen[413] == 0 || c.seen[415] == 0 {
		t.Error("not every kind of response came")
	}
	if res := r.run("status"); res.code != 0 {
		t.Errorf("the service after it: %+v", res)
	}
}
