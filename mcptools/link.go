package mcptools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"waoutbox/outbox/api"
)

func (s *Server) connectionStatus() tool {
	return define(s, declaration[noArguments, statusOutput]{
		name:        "whatsapp_connection_status",
		title:       "Connection status",
		description: "Tell whether WhatsApp is linked and connected, and what keeps events from the webhooks.",
		hints:       hints{readOnly: true, idempotent: true},
		limit:       shortCall,
		run:         s.runConnectionStatus,
	})
}

type statusOutput struct {
	Status      api.LinkState `json:"status"`
	IsConnected bool          `json:"isConnected"`
	SessionInfo *sessionInfo  `json:"sessionInfo,omitempty"`
	Since       string        `json:"since,omitempty"`
	Reason      string        `json:"reason,omitempty" doc:"what is missing, and what to do"`
	Alarms      []alarm       `json:"alarms"`
	// paused webhooks are not among them: whatsapp_webhook_list has those
	Failing  []failingWebhook `json:"failingOrHeld"`
	Webhooks int              `json:"webhooks"`
	Pending  int64            `json:"pending"`
	Dead     int64            `json:"dead"`
	Version  string           `json:"version"`
}

type sessionInfo struct {
	Account string `json:"account"`
	Name    string `json:"name,omitempty"`
}

// alarm is api.Alarm, of what neither reason nor failingOrHeld says.
type alarm struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Since   string `json:"since,omitempty"`
}

type failingWebhook struct {
	ID     string            `json:"id"`
	URL    string            `json:"url"`
	Status api.WebhookStatus `json:"status"`
	Reason string            `json:"reason"`
}

// shownAlarms is how many alarms, and how many failing or held webhooks, one status shows.
const shownAlarms = 20

func (s *Server) runConnectionStatus(ctx context.Context, c *call, _ noArguments) (out statusOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	st, err := b.Status(ctx)
	if err != nil {
		return out, err
	}
	out = statusOutput{
		Status:      st.Link.State,
		IsConnected: st.Link.State == api.LinkConnected,
		Since:       stamp(st.Link.Since),
		Failing:     s.failingWebhooks(st),
		Webhooks:    len(st.Webhooks),
		Pending:     st.Pending,
		Dead:        st.Dead,
		Version:     s.opts.Version,
	}
	out.Alarms = s.otherAlarms(st)
	out.Reason = cut(strings.Join(s.reasons(st, out.Alarms), " "), 2*maxErrorText)
	if n := len(out.Alarms); n > shownAlarms {
		out.Alarms = out.Alarms[:shownAlarms]
		c.note("%d of %d alarms are shown. All of them: waoutbox status", shownAlarms, n)
	}
	if len(out.Failing) > 0 {
		c.note(errorsOfOthers)
	}
	if n := len(out.Failing); n > shownAlarms {
		out.Failing = out.Failing[:shownAlarms]
		c.note("%d of %d webhooks that fail or are held are shown. All of them: whatsapp_webhook_list", shownAlarms, n)
	}
	if st.Link.Account != "" {
		out.SessionInfo = &sessionInfo{Account: st.Link.Account, Name: cut(st.Link.Name, 100)}
	}
	if st.Daemon != nil && st.Daemon.Version != s.opts.Version {
		out.Version = fmt.Sprintf("%s (these tools: %s)", st.Daemon.Version, s.opts.Version)
	}
	return out, nil
}

// alarmOf is the code of the alarm that says why a webhook fails or is held.
func alarmOf(w api.Webhook) string { return "webhook_" + string(w.Status) }

// failingOrHeld reports whether a webhook gets no events though nobody stopped it.
func failingOrHeld(w api.Webhook) bool {
	return w.Status == api.WebhookFailing || w.Status == api.WebhookHeld
}

// failingWebhooks are the webhooks that fail or are held, each with what its alarm says.
func (s *Server) failingWebhooks(st api.Status) []failingWebhook {
	failing := []failingWebhook{}
	for _, w := range st.Webhooks {
		if !failingOrHeld(w) {
			continue
		}
		reason := cmp.Or(w.Reason, noReason)
		for _, a := range st.Alarms {
			if a.Webhook == w.ID && a.Code == alarmOf(w) {
				reason = a.Message
			}
		}
		failing = append(failing, failingWebhook{ID: w.ID, URL: shownURL(w.URL), Status: w.Status, Reason: cut(clean(reason), 500)})
	}
	return failing
}

// otherAlarms are the alarms that neither linkReasons nor failingWebhooks stands for.
func (s *Server) otherAlarms(st api.Status) []alarm {
	said := map[string]bool{}
	for _, w := range st.Webhooks {
		if failingOrHeld(w) {
			said[w.ID+alarmOf(w)] = true
		}
	}
	alarms := []alarm{}
	for _, a := range st.Alarms {
		switch {
		case said[a.Webhook+a.Code]:
		case st.Link.State != api.LinkConnected && slices.Contains([]string{"not_linked", "link_down", "link_closed", "link_replaced"}, a.Code):
		default:
			alarms = append(alarms, alarm{Code: a.Code, Message: sentence(cut(clean(a.Message), 500)), Since: stamp(a.Since)})
		}
	}
	return alarms
}

// noReason stands where the service gave none.
const noReason = "no reason given"

// reasons lists, in sentences, what keeps events from arriving and is said nowhere else in the
// status, worst first.
func (s *Server) reasons(st api.Status, alarms []alarm) []string {
	link := st.Link
	if link.Reason != "" && slices.ContainsFunc(alarms, func(a alarm) bool { return strings.Contains(a.Message, link.Reason) }) {
		link.Reason = ""
	}
	reasons := s.linkReasons(link)
	if len(st.Webhooks) == 0 {
		reasons = append(reasons, "No webhook is registered: "+s.callOrRun("webhook add URL")+".")
	}
	var unsigned []string
	for _, w := range st.Webhooks {
		if !w.Signed {
			unsigned = append(unsigned, w.ID)
		}
	}
	if len(unsigned) > 0 {
		reasons = append(reasons, "Unsigned, so that the receiver cannot tell who sends: "+strings.Join(unsigned, ", ")+".")
	}
	if st.Daemon != nil && st.Daemon.Version != s.opts.Version {
		reasons = append(reasons, s.inShell("The service and these tools are of different versions: the user can run `waoutbox restart`, which starts the installed one."))
	}
	return reasons
}

// linkReasons says why no events come from WhatsApp, and what to do; nothing while connected.
func (s *Server) linkReasons(l api.Link) []string {
	why := ""
	if l.Reason != "" {
		why = " " + sentence(cut(clean(l.Reason), 300))
	}
	pair := s.callOrRun("pair")
	connect := s.callOrRun("connect")
	switch {
	case l.State == api.LinkConnected:
		return nil
	case l.State == api.LinkUnlinked:
		return []string{"No WhatsApp account is linked, so no events come: " + pair + "." + why}
	case l.State == api.LinkPairing:
		return []string{"Pairing is under way, so no events come yet: the code still has to be scanned; for the current one " + pair + "." + why}
	case l.State == api.LinkConnecting:
		return []string{"WhatsApp is being connected; this is retried by itself." + why}
	case l.Closed:
		return []string{"The link was closed on request and stays closed, so no events come: to open it " + connect + "."}
	default:
		return []string{"WhatsApp is not connected, so no events come." + why + " Once that is mended " + connect + "."}
	}
}

func (s *Server) connect() tool {
	return define(s, declaration[noArguments, statusOutput]{
		name:        "whatsapp_connect",
		title:       "Connect",
		description: "Connect to WhatsApp again, after whatsapp_disconnect, after another program took the session, or without waiting for the next try.",
		hints:       hints{idempotent: true, openWorld: true},
		limit:       longCall,
		perMinute:   linksPerMinute,
		run:         s.runConnect,
		unsure:      mayBeDone[noArguments]("The link may come up all the same: whatsapp_connection_status tells."),
	})
}

func (s *Server) runConnect(ctx context.Context, c *call, _ noArguments) (out statusOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	link, err := b.Connect(ctx)
	if err != nil {
		return out, err
	}
	if link.Account == "" {
		c.note("No account is linked: call whatsapp_get_qr_code, or whatsapp_request_pairing_code where images are not shown.")
	}
	return s.runConnectionStatus(ctx, c, noArguments{})
}

func (s *Server) disconnect() tool {
	return define(s, declaration[disconnectInput, statusOutput]{
		name:        "whatsapp_disconnect",
		title:       "Disconnect",
		description: "Close the link to WhatsApp until whatsapp_connect, or with logout unlink the account for good.",
		hints:       hints{destructive: true, idempotent: true, openWorld: true},
		limit:       longCall,
		perMinute:   linksPerMinute,
		run:         s.runDisconnect,
		unsure:      mayBeDone[disconnectInput]("It may go on: whatsapp_connection_status tells."),
	})
}

type disconnectInput struct {
	Logout bool `json:"logout,omitempty" doc:"log the account out of WhatsApp and forget it here: ask the user first, linking again needs the phone; default false"`
}

func (s *Server) runDisconnect(ctx context.Context, c *call, in disconnectInput) (out statusOutput, err error) {
	var declined error
	var approval api.Approval
	if in.Logout {
		approval, declined = c.confirm("log out", "Log the account out of WhatsApp and forget it here? Linking it again needs the phone.", "waoutbox unpair")
		if declined != nil && api.CodeOf(declined) != api.CodeApprovalDeclined {
			return out, declined
		}
	}
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	if declined != nil { // the service records it, and names the command in full
		_, err := b.Unpair(ctx, api.UnpairRequest{Approval: approval})
		return out, refusedBy(err, declined)
	}
	if !in.Logout {
		if _, err := b.Disconnect(ctx); err != nil {
			return out, err
		}
		return s.runConnectionStatus(ctx, c, noArguments{})
	}
	res, err := b.Unpair(ctx, api.UnpairRequest{Approval: approval})
	if err != nil {
		return out, err
	}
	if res.Note != "" {
		c.note("%s", res.Note)
	}
	return s.runConnectionStatus(ctx, c, noArguments{})
}
