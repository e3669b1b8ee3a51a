package mcptools

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"waoutbox/outbox/api"
)

func (s *Server) connectionStatus() tool {
	return define(s, declaration[noArguments, statusOutput]{
		name:        "whatsapp_connection_status",
		title:       "Connection status",
		description: "Tell whether WhatsApp is linked and connected; reason says what keeps events from the webhooks and how to mend it.",
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
	Reason      string        `json:"reason,omitempty"`
	Webhooks    int           `json:"webhooks"`
	Pending     int64         `json:"pending"`
	Dead        int64         `json:"dead"`
	Version     string        `json:"version"`
}

type sessionInfo struct {
	Account string `json:"account"`
	Name    string `json:"name,omitempty"`
}

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
		Reason:      cut(strings.Join(s.reasons(st), " "), 4*maxErrorText),
		Webhooks:    len(st.Webhooks),
		Pending:     st.Pending,
		Dead:        st.Dead,
		Version:     s.opts.Version,
	}
	if st.Link.Account != "" {
		out.SessionInfo = &sessionInfo{Account: st.Link.Account, Name: cut(st.Link.Name, 100)}
	}
	if st.Daemon != nil && st.Daemon.Version != s.opts.Version {
		out.Version = fmt.Sprintf("%s (these tools: %s)", st.Daemon.Version, s.opts.Version)
	}
	return out, nil
}

// noReason stands where the service gave none.
const noReason = "no reason given"

// reasons lists, in sentences, all that keeps events from arriving, worst first.
func (s *Server) reasons(st api.Status) []string {
	reasons := s.linkReasons(st.Link)
	for _, a := range st.Alarms {
		reasons = append(reasons, sentence("Alarm "+a.Code+": "+a.Message))
	}
	if len(st.Webhooks) == 0 {
		reasons = append(reasons, "No webhook is registered: "+s.callOrRun("whatsapp_webhook_register", "waoutbox webhook add URL")+".")
	}
	for _, w := range st.Webhooks {
		if w.Status != api.WebhookActive {
			reasons = append(reasons, sentence(fmt.Sprintf("Webhook %s is %s: %s", w.ID, w.Status, cmp.Or(cut(w.Reason, 300), noReason))))
		}
		if !w.Signed {
			reasons = append(reasons, fmt.Sprintf("Webhook %s is unsigned, so its receiver cannot tell who sends.", w.ID))
		}
	}
	if st.Daemon != nil && st.Daemon.Version != s.opts.Version {
		reasons = append(reasons, "The service and these tools are of different versions: the user can run `waoutbox stop`; the next call starts the installed one.")
	}
	return reasons
}

// linkReasons says why no events come from WhatsApp, and what to do; nothing while connected.
func (s *Server) linkReasons(l api.Link) []string {
	why := ""
	if l.Reason != "" {
		why = " " + sentence(cut(l.Reason, 300))
	}
	pair := s.callOrRun("whatsapp_get_qr_code", "waoutbox pair")
	switch l.State {
	case api.LinkConnected:
		return nil
	case api.LinkUnlinked:
		return []string{"No WhatsApp account is linked, so no events come: " + pair + "." + why}
	case api.LinkPairing:
		return []string{"Pairing is under way, so no events come yet: the code still has to be scanned; for the current one " + pair + "." + why}
	case api.LinkConnecting:
		return []string{"WhatsApp is being connected; this is retried by itself." + why}
	default:
		return []string{"WhatsApp is not connected, so no events come." + why}
	}
}
