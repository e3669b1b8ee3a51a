package mcptools

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"waoutbox/mcptools/consent"
	"waoutbox/outbox/api"
)

func (s *Server) webhookRegister() tool {
	return define(s, declaration[registerInput, registerOutput]{
		name:  "whatsapp_webhook_register",
		title: "Register webhook",
		description: "Deliver WhatsApp events to a URL from now on, or update and resume a webhook whose URL is known, " +
			"with arguments left out keeping their values.",
		hints:     hints{destructive: true, idempotent: true, openWorld: true},
		limit:     shortCall,
		help:      map[string]string{"events": s.eventHelp()},
		perMinute: webhooksPerMinute,
		run:       s.runWebhookRegister,
		unsure:    mayBeDone[registerInput]("The webhook may be registered all the same: the same call again makes no second one, and whatsapp_webhook_list shows it."),
	})
}

type registerInput struct {
	URL      string          `json:"url" doc:"where to POST the events, or the id of a webhook, removed ones too"`
	Events   *[]eventPattern `json:"events,omitempty"`
	Chats    *[]string       `json:"chats,omitempty" doc:"only these chats: phone numbers or JIDs; [] all"`
	NotChats *[]string       `json:"notChats,omitempty" doc:"never these chats"`
	Kinds    *[]chatKind     `json:"kinds,omitempty" doc:"only chats of these kinds"`
	Secret   *string         `json:"secret,omitempty" doc:"signs each body (HMAC-SHA256 in X-Webhook-Signature); only the user can remove it"`
	Generate bool            `json:"generateSecret,omitempty" doc:"sign with a new secret, which is kept in a file for the user and not shown"`
	Headers  *[]string       `json:"headers,omitempty" doc:"names of headers to send; the user writes their values into the file webhook-headers; [] none"`
	Ordered  *bool           `json:"ordered,omitempty" doc:"keep order within a chat; default true"`
}

type registerOutput struct {
	Success bool            `json:"success"`
	Result  registerOutcome `json:"result"`
	Message string          `json:"message"`
	URL     string          `json:"url"`
	Events  []string        `json:"events"`
	Webhook webhook         `json:"webhook"`
	// where the generated secret is
	SecretFile string `json:"secretFile,omitempty"`
}

// putWebhook registers a webhook. Where it needs the user's consent, he is asked, and the call is
// begun anew.
func (c *call) putWebhook(ctx context.Context, b Backend, in api.PutWebhook) (api.PutWebhookResult, error) {
	about := "webhook " + in.URL
	switch c.consent.Answer(about) {
	case consent.Unasked:
		in.Approval = api.ApprovalAsk
	case consent.Approved:
		in.Approval = api.ApprovalGiven
	case consent.Declined:
		in.Approval = api.ApprovalDeclined
	}
	put, err := b.PutWebhook(ctx, in)
	if api.CodeOf(err) == api.CodeApprovalRequired && in.Approval == api.ApprovalAsk {
		return put, &consent.Needed{Question: consent.About(about, err.Error())}
	}
	return put, err
}

// registerOutcome is api.PutWebhookResult.Result for agents, to whom one added again is created.
type registerOutcome string

const (
	registerCreated registerOutcome = "created"
	registerUpdated registerOutcome = "updated"
)

func (s *Server) runWebhookRegister(ctx context.Context, c *call, in registerInput) (out registerOutput, err error) {
	ref := strings.TrimSpace(in.URL)
	if err := checkRef(ref); err != nil {
		return out, err
	}
	req := api.PutWebhook{URL: ref, Chats: in.Chats, NotChats: in.NotChats, Secret: in.Secret, GenerateSecret: in.Generate, Ordered: in.Ordered}
	if err := s.credentials(in, &req); err != nil {
		return out, err
	}
	if in.Kinds != nil {
		kinds := texts(*in.Kinds)
		req.Kinds = &kinds
	}
	if in.Events != nil {
		events := texts(*in.Events)
		if len(events) == 0 {
			return out, api.Errorf(api.CodeInvalidEvents, "The argument \"events\" is empty. Name at least one of %s; or leave it out to keep what is set.",
				strings.Join(s.eventPatterns(), ", "))
		}
		req.Events = &events
	}
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	put, err := c.putWebhook(ctx, b, req)
	if err != nil {
		return out, err
	}
	w := webhookOf(put.Webhook)
	out = registerOutput{Success: true, Result: registerCreated, URL: w.URL, Events: w.Events, Webhook: w}
	var message []string
	switch put.Result {
	case api.PutUpdated:
		out.Result = registerUpdated
		message = append(message, updatedSentence(w))
	case api.PutRevived:
		message = append(message, fmt.Sprintf("Added again as %s, with its settings from before: events from now on; its dead letters can be replayed.", w.ID))
	default:
		message = append(message, fmt.Sprintf("Added %s: events from now on.", w.ID))
	}
	message = append(message, warnings(put.Warnings)...)
	if in.Generate && put.Secret != "" {
		var told string
		out.SecretFile, told = s.keepSecret(w.ID, put.Secret)
		message = append(message, told)
	}
	if !w.Signed {
		message = append(message, unsignedHint)
	}
	message = append(message, s.linkHints(ctx, b)...)
	out.Message = cut(strings.Join(message, " "), maxErrorText)
	return out, nil
}

func updatedSentence(w webhook) string {
	if w.Status == api.WebhookActive {
		return fmt.Sprintf("Updated %s; it is delivering.", w.ID)
	}
	return sentence(fmt.Sprintf("Updated %s; it is %s: %s", w.ID, w.Status, cmp.Or(w.Reason, noReason)))
}

// hintWait is the most that a call whose work is done takes to learn more about the link.
const hintWait = 2 * time.Second

// linkHints returns why no events come from WhatsApp yet, as far as that is quickly known: the
// webhook is registered whatever the status is, so neither a failing nor a slow one may turn the
// result into an error.
func (s *Server) linkHints(ctx context.Context, b Backend) []string {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < 2*hintWait {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, hintWait)
	defer cancel()
	st, err := b.Status(ctx)
	if err != nil {
		return nil
	}
	return s.linkReasons(st.Link)
}

const unsignedHint = "It is unsigned, so the receiver cannot tell who sends: register the URL again with generateSecret or a secret."

// credentials checks what is asked for of secrets and headers, and reads the values of the headers
// where the user keeps them.
func (s *Server) credentials(in registerInput, req *api.PutWebhook) error {
	if in.Generate && in.Secret != nil {
		return badArgument("Pass one of \"secret\" and \"generateSecret\".")
	}
	if in.Generate && s.opts.KeepSecret == nil {
		return badArgument("The argument \"generateSecret\" means nothing here: there is no place to keep a secret. The user can run `waoutbox webhook add %s --generate-secret`.", hideQuery(req.URL))
	}
	if in.Headers == nil {
		return nil
	}
	values := map[string]string{}
	for _, name := range *in.Headers {
		if strings.ContainsAny(name, ": =") {
			return badArgument("The argument \"headers\" takes names only, such as Authorization: the user writes the values into the file webhook-headers.")
		}
	}
	if len(*in.Headers) > 0 {
		if s.opts.Headers == nil {
			return badArgument("The argument \"headers\" means nothing here: none can be set. The user can run `waoutbox webhook add %s --header-file FILE`.", hideQuery(req.URL))
		}
		var err error
		if values, err = s.opts.Headers(*in.Headers); err != nil {
			return err
		}
	}
	req.Headers = &values
	return nil
}

// keepSecret puts a generated secret where the user finds it, and says where that is.
func (s *Server) keepSecret(id, secret string) (path, told string) {
	path, err := s.opts.KeepSecret(id, secret)
	if err != nil {
		s.log.Error("a generated secret could not be kept", "webhook", id, "error", err)
		return "", "Its new secret could not be written to a file, so nobody knows it: make room on the disk and call again with generateSecret."
	}
	return path, "Its new secret is in " + path + ", for the user alone: the receiver needs it."
}
