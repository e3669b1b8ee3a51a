package mcptools

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"waoutbox/outbox/api"
)

// webhookSchema is the one shape of a webhook in every tool. It has no place for a secret.
const webhookSchema = `{"type":"object","additionalProperties":false,` +
	`"required":["id","url","events","signed","ordered","status","pending","dead"],"properties":{` +
	`"id":{"type":"string"},"url":{"type":"string"},"events":{"type":"array","items":{"type":"string"}},` +
	`"signed":{"type":"boolean"},"ordered":{"type":"boolean"},` +
	`"status":{"type":"string","enum":["active","failing","held","paused"]},"reason":{"type":"string"},` +
	`"pending":{"type":"integer"},"dead":{"type":"integer"}}}`

type webhook struct {
	ID      string            `json:"id"`
	URL     string            `json:"url"`
	Events  []string          `json:"events"`
	Signed  bool              `json:"signed"`
	Ordered bool              `json:"ordered"`
	Status  api.WebhookStatus `json:"status"`
	Reason  string            `json:"reason,omitempty"`
	Pending int64             `json:"pending"`
	Dead    int64             `json:"dead"`
}

func webhookOf(w api.Webhook) webhook {
	return webhook{
		ID: w.ID, URL: w.URL, Events: append([]string{}, w.Events...), Signed: w.Signed, Ordered: w.Ordered,
		Status: w.Status, Reason: cut(w.Reason, 300), Pending: w.Pending, Dead: w.Dead,
	}
}

// urlArg is the argument that names an existing webhook.
const urlArg = `"url":{"type":"string","description":"URL or id of the webhook"}`

func (s *Server) webhookRegister() tool {
	return tool{
		name:  "whatsapp_webhook_register",
		title: "Register webhook",
		description: "Deliver WhatsApp events to a URL from now on. Registering a known URL updates and resumes it: " +
			"arguments left out keep their values.",
		hints: hints{destructive: true, idempotent: true, openWorld: true},
		input: `{"type":"object","additionalProperties":false,"required":["url"],"properties":{` +
			`"url":{"type":"string","description":"where to POST the events, or the id of a webhook, removed ones too"},` +
			`"events":{"type":"array","items":{"type":"string","enum":` + s.eventEnum(true) + `},"description":` + quoted(s.eventHelp()) + `},` +
			`"secret":{"type":"string","description":"signs each body (HMAC-SHA256 in X-Webhook-Signature); \"\" removes it"},` +
			`"ordered":{"type":"boolean","description":"keep order within a chat; default true"}}}`,
		output: `{"type":"object","additionalProperties":false,` +
			`"required":["success","result","message","url","events","webhook"],"properties":{` +
			`"success":{"type":"boolean"},"result":{"type":"string","enum":["created","updated"]},"message":{"type":"string"},` +
			`"url":{"type":"string"},"events":{"type":"array","items":{"type":"string"}},"webhook":` + webhookSchema + `}}`,
		limit: shortCall,
		run:   s.runWebhookRegister,
	}
}

type registerResult struct {
	Success bool     `json:"success"`
	Result  string   `json:"result"`
	Message string   `json:"message"`
	URL     string   `json:"url"`
	Events  []string `json:"events"`
	Webhook webhook  `json:"webhook"`
}

func (s *Server) runWebhookRegister(ctx context.Context, c *call) (reply, error) {
	ref := strings.TrimSpace(c.args.str("url"))
	if err := checkRef(ref); err != nil {
		return reply{}, err
	}
	in := api.PutWebhook{
		URL:     ref,
		Events:  optional[[]string](c.args, "events"),
		Secret:  optional[string](c.args, "secret"),
		Ordered: optional[bool](c.args, "ordered"),
	}
	if in.Events != nil {
		if err := s.checkEvents(*in.Events); err != nil {
			return reply{}, err
		}
	}
	b, err := c.backend(ctx)
	if err != nil {
		return reply{}, err
	}
	put, err := b.PutWebhook(ctx, in)
	if err != nil {
		return reply{}, err
	}
	w := webhookOf(put.Webhook)
	out := registerResult{Success: true, Result: "created", URL: w.URL, Events: w.Events, Webhook: w}
	var say []string
	switch put.Result {
	case api.PutUpdated:
		out.Result = "updated"
		say = append(say, fmt.Sprintf("Updated %s; it is delivering.", w.ID))
	case api.PutRevived:
		say = append(say, fmt.Sprintf("Added again as %s: events from now on; its dead letters can be replayed.", w.ID))
	default:
		say = append(say, fmt.Sprintf("Added %s: events from now on.", w.ID))
	}
	for _, warning := range put.Warnings {
		say = append(say, sentence("Warning: "+warning))
	}
	if !w.Signed {
		say = append(say, unsignedHint)
	}
	// The webhook is registered whatever the status says: without one there is only less to say.
	if st, err := b.Status(ctx); err == nil {
		say = append(say, s.linkTrouble(st.Link)...)
	}
	out.Message = cut(strings.Join(say, " "), maxErrorText)
	return reply{structured: out}, nil
}

const unsignedHint = "It is unsigned, so the receiver cannot tell who sends: register the URL again with a secret."

func (s *Server) webhookUnregister() tool {
	return tool{
		name:  "whatsapp_webhook_unregister",
		title: "Remove webhook",
		description: "Stop delivering to a webhook. What it has not received becomes dead letters, " +
			"which can be replayed once the URL is registered again.",
		hints: hints{destructive: true, idempotent: true},
		input: `{"type":"object","additionalProperties":false,"required":["url"],"properties":{` + urlArg + `}}`,
		output: `{"type":"object","additionalProperties":false,` +
			`"required":["success","removed","deadLettered","message","url"],"properties":{` +
			`"success":{"type":"boolean"},"removed":{"type":"boolean"},"deadLettered":{"type":"integer"},` +
			`"message":{"type":"string"},"url":{"type":"string"}}}`,
		limit: shortCall,
		run:   s.runWebhookUnregister,
	}
}

type unregisterResult struct {
	Success      bool   `json:"success"`
	Removed      bool   `json:"removed"`
	DeadLettered int64  `json:"deadLettered"`
	Message      string `json:"message"`
	URL          string `json:"url"`
}

func (s *Server) runWebhookUnregister(ctx context.Context, c *call) (reply, error) {
	ref := strings.TrimSpace(c.args.str("url"))
	if err := checkRef(ref); err != nil {
		return reply{}, err
	}
	b, err := c.backend(ctx)
	if err != nil {
		return reply{}, err
	}
	r, err := b.RemoveWebhook(ctx, api.RemoveWebhook{Webhook: ref})
	if err != nil {
		return reply{}, err
	}
	out := unregisterResult{Success: true, Removed: r.Removed, DeadLettered: r.DeadLettered, URL: r.URL}
	if out.URL == "" {
		out.URL = ref
	}
	switch {
	case !r.Removed:
		out.Message = "No such webhook is registered; nothing was changed. See whatsapp_webhook_list."
	case r.DeadLettered > 0:
		out.Message = fmt.Sprintf("Removed %s. %d undelivered became dead letters: register the URL again, then call whatsapp_dead_letter_replay.", r.ID, r.DeadLettered)
	default:
		out.Message = fmt.Sprintf("Removed %s. Nothing was left undelivered.", r.ID)
	}
	return reply{structured: out}, nil
}

func (s *Server) webhookList() tool {
	return tool{
		name:        "whatsapp_webhook_list",
		title:       "List webhooks",
		description: "List the webhooks with their state, backlog (pending) and dead letters. Secrets are never shown.",
		hints:       hints{readOnly: true, idempotent: true},
		input:       `{"type":"object","additionalProperties":false}`,
		output: `{"type":"object","additionalProperties":false,"required":["count","webhooks"],"properties":{` +
			`"count":{"type":"integer"},"webhooks":{"type":"array","items":` + webhookSchema + `}}}`,
		limit: shortCall,
		run:   s.runWebhookList,
	}
}

type webhookListResult struct {
	Count    int       `json:"count"`
	Webhooks []webhook `json:"webhooks"`
}

func (s *Server) runWebhookList(ctx context.Context, c *call) (reply, error) {
	b, err := c.backend(ctx)
	if err != nil {
		return reply{}, err
	}
	all, err := b.Webhooks(ctx)
	if err != nil {
		return reply{}, err
	}
	out := webhookListResult{Count: len(all), Webhooks: make([]webhook, 0, len(all))}
	for _, w := range all {
		out.Webhooks = append(out.Webhooks, webhookOf(w))
	}
	n, err := fitting(out.Webhooks, maxText)
	if err != nil {
		return reply{}, err
	}
	out.Webhooks = out.Webhooks[:n]
	r := reply{structured: out}
	if n < out.Count {
		r.note("Cut at 20 KB: %d of %d webhooks are shown. All of them: waoutbox webhook list", n, out.Count)
	}
	return r, nil
}

func (s *Server) webhookTest() tool {
	return tool{
		name:        "whatsapp_webhook_test",
		title:       "Test webhook",
		description: "POST one test event to a webhook at once, signed like any delivery. An endpoint that is down is success:false, not a tool error.",
		hints:       hints{openWorld: true},
		input:       `{"type":"object","additionalProperties":false,"required":["url"],"properties":{` + urlArg + `}}`,
		output: `{"type":"object","additionalProperties":false,"required":["url","success","ms"],"properties":{` +
			`"url":{"type":"string"},"success":{"type":"boolean"},"status":{"type":"integer"},"ms":{"type":"integer"},"error":{"type":"string"}}}`,
		limit: longCall,
		run:   s.runWebhookTest,
	}
}

type testResult struct {
	URL     string `json:"url"`
	Success bool   `json:"success"`
	Status  int    `json:"status,omitempty"`
	Ms      int64  `json:"ms"`
	Error   string `json:"error,omitempty"`
}

func (s *Server) runWebhookTest(ctx context.Context, c *call) (reply, error) {
	ref := strings.TrimSpace(c.args.str("url"))
	b, err := c.backend(ctx)
	if err != nil {
		return reply{}, err
	}
	r, err := b.TestWebhook(ctx, ref)
	if err != nil {
		return reply{}, err
	}
	out := testResult{URL: r.URL, Success: r.Success, Status: r.Status, Ms: r.Ms}
	if !r.Success {
		out.Error = r.Error
		if out.Error == "" {
			out.Error = r.Class
		}
		if r.Excerpt != "" {
			out.Error += "; the endpoint answered: " + r.Excerpt
		}
		out.Error = cut(out.Error, 500)
	}
	return reply{structured: out}, nil
}

// checkRef refuses what can be neither a webhook's id nor its URL. Everything finer is the service's to judge.
func checkRef(ref string) error {
	if strings.HasPrefix(ref, "wh_") {
		return nil
	}
	u, err := url.Parse(ref)
	if err != nil || u.Host == "" || (!strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https")) {
		return api.Errorf(api.CodeInvalidURL, "The argument \"url\" is neither an http(s) URL nor a webhook id. Write it whole, such as https://example.com/hook, or pass an id from whatsapp_webhook_list.")
	}
	return nil
}

// sentence ends s like one.
func sentence(s string) string {
	if s = strings.TrimSpace(s); s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return s + "."
}

// eventNames are the names of the catalogue, in its order.
func (s *Server) eventNames() []string {
	names := make([]string, 0, len(s.opts.Events)+1)
	for _, e := range s.opts.Events {
		names = append(names, e.Name)
	}
	return names
}

// checkEvents answers which name of a subscription is wrong, and what was probably meant.
func (s *Server) checkEvents(given []string) error {
	known := append(s.eventNames(), "*")
	if len(given) == 0 {
		return api.Errorf(api.CodeInvalidEvents, "The argument \"events\" is empty. Name at least one of %s; or leave it out to keep what is set.", strings.Join(known, ", "))
	}
	for _, name := range given {
		if err := unknownEvent(name, known); err != nil {
			return err
		}
	}
	return nil
}

func unknownEvent(name string, known []string) error {
	if slices.Contains(known, name) {
		return nil
	}
	return api.Errorf(api.CodeInvalidEvents, "Unknown event %q.%s Known: %s.", cut(name, 64), didYouMean(name, known), strings.Join(known, ", "))
}
