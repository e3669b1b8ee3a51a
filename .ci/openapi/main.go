// Command openapi drives the HTTP API with a client that oapi-codegen made of docs/openapi.json, as
// a program of somebody else would: it registers a webhook, sends a message, lists dead letters,
// replays them and fetches a file. The test TestGeneratedClient of cmd/internal/e2e runs it against
// the real program and looks at what came of it.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"openapi/client"
)

// done is what was reached, for the test to compare.
type done struct {
	Webhook, Secret, MessageID, Media string
	DeadLetters, Queued, Events       int
	Refused                           string // the field of a request that is wrong
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := drive(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(out)
}

// response is what the generated responses have in common.
type response interface {
	StatusCode() int
	GetBody() []byte
}

// ok returns a response that is a success.
func ok[R response](r R, err error) (R, error) {
	if err == nil && r.StatusCode() != http.StatusOK {
		err = fmt.Errorf("%T: %d %s", r, r.StatusCode(), r.GetBody())
	}
	return r, err
}

func drive(ctx context.Context) (out done, err error) {
	token := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Getenv("WAOUTBOX_TOKEN"))
		return nil
	}
	c, err := client.NewClientWithResponses(os.Getenv("WAOUTBOX_URL"), client.WithRequestEditorFn(token))
	if err != nil {
		return out, err
	}
	yes := true
	put, err := ok(c.PutWebhookWithResponse(ctx, client.PutWebhook{Url: os.Getenv("WAOUTBOX_HOOK"), Events: &[]string{"message.received"}, GenerateSecret: &yes}))
	if err != nil {
		return out, err
	}
	out.Webhook, out.Secret = put.JSON200.Webhook.Id, *put.JSON200.Secret

	text, key := "from a generated client", "once"
	sent, err := ok(c.SendMessageWithResponse(ctx, client.Send{To: os.Getenv("WAOUTBOX_TO"), Text: &text, IdempotencyKey: &key}))
	if err != nil {
		return out, err
	}
	out.MessageID = sent.JSON200.MessageId

	reason := "503"
	dead, err := ok(c.ListDeadLettersWithResponse(ctx, &client.ListDeadLettersParams{Reason: &reason}))
	if err != nil {
		return out, err
	}
	var ids []string
	for _, l := range dead.JSON200.Items {
		ids = append(ids, l.Id)
	}
	out.DeadLetters = len(ids)
	again, err := ok(c.ReplayDeadLettersWithResponse(ctx, client.ReplayRequest{Ids: &ids}))
	if err != nil {
		return out, err
	}
	out.Queued = int(again.JSON200.Queued)

	name, limit := "message.received", 100
	events, err := ok(c.ListEventsWithResponse(ctx, &client.ListEventsParams{Event: &name, Limit: &limit}))
	if err != nil {
		return out, err
	}
	out.Events = len(events.JSON200.Items)
	media, err := ok(c.GetEventMediaWithResponse(ctx, os.Getenv("WAOUTBOX_EVENT")))
	if err != nil {
		return out, err
	}
	sum := sha256.Sum256(media.Body)
	out.Media = hex.EncodeToString(sum[:])

	file := bytes.NewReader(media.Body)
	if _, err := ok(c.SendFileWithBodyWithResponse(ctx, &client.SendFileParams{To: os.Getenv("WAOUTBOX_TO")}, "application/octet-stream", file)); err != nil {
		return out, err
	}
	refused, err := c.SendMessageWithResponse(ctx, client.Send{To: "nobody", Text: &text})
	if err == nil && refused.JSON400 != nil && refused.JSON400.Error.Field != nil {
		out.Refused = *refused.JSON400.Error.Field
	}
	return out, err
}
