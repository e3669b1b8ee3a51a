package mcptools

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
	"rsc.io/qr"
)

func (s *Server) connectionStatus() tool {
	return tool{
		name:        "whatsapp_connection_status",
		title:       "Connection status",
		description: "Tell whether WhatsApp is linked and connected; reason says what keeps events from the webhooks and how to mend it.",
		hints:       hints{readOnly: true, idempotent: true},
		input:       `{"type":"object","additionalProperties":false}`,
		output: `{"type":"object","additionalProperties":false,` +
			`"required":["status","isConnected","webhooks","pending","dead","version"],"properties":{` +
			`"status":{"type":"string","enum":["unlinked","pairing","connecting","connected","disconnected","unknown"]},` +
			`"isConnected":{"type":"boolean"},` +
			`"sessionInfo":{"type":"object","additionalProperties":false,"required":["account"],"properties":{` +
			`"account":{"type":"string"},"name":{"type":"string"}}},` +
			`"since":{"type":"string"},"reason":{"type":"string"},"webhooks":{"type":"integer"},` +
			`"pending":{"type":"integer"},"dead":{"type":"integer"},"version":{"type":"string"}}}`,
		limit: shortCall,
		run:   s.runConnectionStatus,
	}
}

type statusResult struct {
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

func (s *Server) runConnectionStatus(ctx context.Context, c *call) (reply, error) {
	b, err := c.backend(ctx)
	if err != nil {
		return reply{}, err
	}
	st, err := b.Status(ctx)
	if err != nil {
		return reply{}, err
	}
	out := statusResult{
		Status:      st.Link.State,
		IsConnected: st.Link.State == api.LinkConnected,
		Since:       stamp(st.Link.Since),
		Reason:      cut(strings.Join(s.trouble(st), " "), 4*maxErrorText),
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
	return reply{structured: out}, nil
}

// trouble lists, in sentences, all that keeps events from arriving, worst first.
func (s *Server) trouble(st api.Status) []string {
	say := s.linkTrouble(st.Link)
	for _, a := range st.Alarms {
		say = append(say, sentence("Alarm "+a.Code+": "+a.Message))
	}
	if len(st.Webhooks) == 0 {
		say = append(say, "No webhook is registered: "+s.or("whatsapp_webhook_register", "waoutbox webhook add URL")+".")
	}
	for _, w := range st.Webhooks {
		if w.Status != api.WebhookActive {
			say = append(say, sentence(fmt.Sprintf("Webhook %s is %s: %s", w.ID, w.Status, orElse(cut(w.Reason, 300), "no reason given"))))
		}
		if !w.Signed {
			say = append(say, fmt.Sprintf("Webhook %s is unsigned, so its receiver cannot tell who sends.", w.ID))
		}
	}
	if st.Daemon != nil && st.Daemon.Version != s.opts.Version {
		say = append(say, "The service and these tools are of different versions: the user can run `waoutbox stop`; the next call starts the installed one.")
	}
	return say
}

// linkTrouble says why no events come from WhatsApp, and what to do; nothing while connected.
func (s *Server) linkTrouble(l api.Link) []string {
	why := ""
	if l.Reason != "" {
		why = " " + sentence(cut(l.Reason, 300))
	}
	pair := s.or("whatsapp_get_qr_code", "waoutbox pair")
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

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (s *Server) getQRCode() tool {
	return tool{
		name:  "whatsapp_get_qr_code",
		title: "Pair with QR code",
		description: "Link a WhatsApp account: shows the user a QR code to scan under Linked devices, valid for up to a minute. " +
			"Where images are not shown, the user runs `waoutbox pair`.",
		hints: hints{openWorld: true},
		input: `{"type":"object","additionalProperties":false}`,
		output: `{"type":"object","additionalProperties":false,"required":["qrCode","expiresAt"],"properties":{` +
			`"qrCode":{"type":"string"},"expiresAt":{"type":"string"}}}`,
		limit: shortCall,
		run:   s.runGetQRCode,
	}
}

type qrResult struct {
	QRCode    string `json:"qrCode"`
	ExpiresAt string `json:"expiresAt"`
}

func (s *Server) runGetQRCode(ctx context.Context, c *call) (reply, error) {
	b, err := c.backend(ctx)
	if err != nil {
		return reply{}, err
	}
	step, err := b.QR(ctx)
	if err != nil {
		return reply{}, err
	}
	switch {
	case step.Step == api.StepLinked:
		return reply{}, api.Errorf(api.CodeAlreadyLinked, "An account is linked already. See whatsapp_connection_status; to link another one, the user runs `waoutbox unpair` first.")
	case step.Error != nil:
		return reply{}, step.Error
	case step.QR == "":
		return reply{}, api.Retryf(api.CodePairingUnavail, "WhatsApp sent no QR code. Call whatsapp_connection_status to see why, then try again.")
	}
	code, err := qr.Encode(step.QR, qr.L)
	if err != nil {
		return reply{}, fmt.Errorf("draw the QR code: %w", err)
	}
	r := reply{structured: qrResult{QRCode: step.QR, ExpiresAt: stamp(step.ExpiresAt)}}
	r.more = append(r.more, mcp.ImageContent{
		Annotated: mcp.Annotated{Annotations: &mcp.Annotations{Audience: []mcp.Role{mcp.RoleUser}}},
		Type:      mcp.ContentTypeImage,
		Data:      base64.StdEncoding.EncodeToString(code.PNG()),
		MIMEType:  "image/png",
	})
	r.note("Scan the image with the phone, under WhatsApp > Settings > Linked devices > Link a device, before %s; then call whatsapp_connection_status. "+
		"No image in sight? Run `waoutbox pair` in a terminal.", step.ExpiresAt.UTC().Format("15:04:05 UTC"))
	return r, nil
}
