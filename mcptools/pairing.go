package mcptools

import (
	"context"
	"encoding/base64"
	"fmt"

	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
	"rsc.io/qr"
)

func (s *Server) getQRCode() tool {
	return define(s, declaration[qrInput, pairOutput]{
		name:  "whatsapp_get_qr_code",
		title: "Pair with QR code",
		description: "Link a WhatsApp account with a QR code that the user scans, or, where images are not shown, " +
			"with whatsapp_request_pairing_code.",
		hints:     hints{openWorld: true},
		limit:     longCall,
		perMinute: linksPerMinute,
		run:       s.runGetQRCode,
	})
}

func (s *Server) requestPairingCode() tool {
	return define(s, declaration[codeInput, codeOutput]{
		name:        "whatsapp_request_pairing_code",
		title:       "Pair with phone code",
		description: "Link a WhatsApp account with a code that the user types into the phone with this number.",
		hints:       hints{openWorld: true},
		limit:       longCall,
		perMinute:   linksPerMinute,
		run:         s.runRequestPairingCode,
	})
}

// qrInput goes on with a pairing that has asked for something, by whichever code it began.
type qrInput struct {
	PasskeyResponse string `json:"passkeyResponse,omitempty" max:"65536" doc:"after a result with passkey: the text that the browser showed"`
	CodesMatch      bool   `json:"codesMatch,omitempty" doc:"after a result with confirmCode: the phone shows the same"`
	Cancel          bool   `json:"cancel,omitempty" doc:"give up the pairing that is under way, by whichever code it began; default false"`
}

type codeInput struct {
	PhoneNumber string `json:"phoneNumber" max:"40" doc:"with country code"`
}

type codeOutput struct {
	PairingCode string `json:"pairingCode"`
	ExpiresAt   string `json:"expiresAt"`
}

// pairOutput is what pairing shows now. What is done with it is in the line after it.
type pairOutput struct {
	QRCode      string         `json:"qrCode,omitempty"`
	Passkey     *passkeyOutput `json:"passkey,omitempty"`
	ConfirmCode string         `json:"confirmCode,omitempty"`
	ExpiresAt   string         `json:"expiresAt,omitempty"`
	Account     string         `json:"account,omitempty"` // linked
	Cancelled   bool           `json:"cancelled,omitempty"`
}

type passkeyOutput struct {
	Page   string `json:"page"`
	Script string `json:"script"`
}

func (s *Server) runGetQRCode(ctx context.Context, c *call, in qrInput) (out pairOutput, err error) {
	if in.Cancel && (in.PasskeyResponse != "" || in.CodesMatch) {
		return out, badArgument("Pass \"cancel\" alone: with \"passkeyResponse\" or \"codesMatch\" the pairing would go on.")
	}
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	goesOn := in != qrInput{}
	var step api.PairStep
	if goesOn {
		step, err = b.ContinuePairing(ctx, api.ContinuePairing{Passkey: in.PasskeyResponse, Confirm: in.CodesMatch, Cancel: in.Cancel})
	} else {
		step, err = b.PairNow(ctx, api.PairRequest{})
	}
	if err != nil {
		return out, err
	}
	out.ExpiresAt = stamp(step.ExpiresAt)
	until := step.ExpiresAt.UTC().Format("15:04:05 UTC")
	switch {
	case in.Cancel && step.Step == api.StepLinked:
		return out, api.Errorf(api.CodeAlreadyLinked, "It was too late to give the pairing up: %s is linked. To unlink it: whatsapp_disconnect with logout.", step.Account)
	case in.Cancel && step.Error != nil && step.Error.Code == api.CodePairingCancelled:
		out.Cancelled = true
		c.note("The pairing was given up: its codes are no longer valid. Without arguments this tool begins a new one.")
	case step.Step == api.StepLinked && goesOn:
		out.Account = step.Account
		c.note("Linked. whatsapp_connection_status tells more.")
	case step.QR != "":
		out.QRCode = step.QR
		if err := c.image(step.QR); err != nil {
			return out, err
		}
		c.note("Scan the image with the phone, under WhatsApp > Settings > Linked devices > Link a device, before %s; then call whatsapp_connection_status. "+
			"No image in sight? whatsapp_request_pairing_code works without one, and so does `waoutbox pair` in a terminal.", until)
	case step.Step == api.StepPasskey && step.Passkey != nil:
		out.Passkey = &passkeyOutput{Page: step.Passkey.Page, Script: step.Passkey.Script}
		c.note("WhatsApp asks for the account's passkey. The user opens page in a browser that has it, runs script in its console, clicks on the page, "+
			"and gives you the text that is shown then: call again with it as passkeyResponse before %s. Or the user runs `waoutbox pair` in a terminal.", until)
	case step.Step == api.StepConfirm:
		out.ConfirmCode = step.Code
		c.note("Ask the user whether the phone shows %s. If so, call again with codesMatch true before %s; if not, somebody else may be linking: call again with cancel true.", step.Code, until)
	default:
		return out, noCode(step)
	}
	return out, nil
}

func (s *Server) runRequestPairingCode(ctx context.Context, c *call, in codeInput) (out codeOutput, err error) {
	b, err := c.backend(ctx)
	if err != nil {
		return out, err
	}
	step, err := b.PairNow(ctx, api.PairRequest{Phone: in.PhoneNumber})
	if err != nil {
		return out, err
	}
	if step.Step != api.StepCode {
		return out, noCode(step)
	}
	out = codeOutput{PairingCode: step.Code, ExpiresAt: stamp(step.ExpiresAt)}
	c.note("The user types %s into the phone, under WhatsApp > Settings > Linked devices > Link a device > Link with phone number instead, before %s; then call whatsapp_connection_status.",
		step.Code, step.ExpiresAt.UTC().Format("15:04:05 UTC"))
	return out, nil
}

// noCode says why there is no code to show.
func noCode(step api.PairStep) error {
	switch {
	case step.Error != nil:
		return step.Error
	case step.Step == api.StepLinked:
		return api.Errorf(api.CodeAlreadyLinked, "An account is linked already. See whatsapp_connection_status; to link another one, log this one out with whatsapp_disconnect first.")
	case step.Step == api.StepPasskey || step.Step == api.StepConfirm:
		return api.Retryf(api.CodePairingUnavail, "The code was used, and WhatsApp asks for one thing more: call whatsapp_get_qr_code, which says what.")
	}
	return api.Retryf(api.CodePairingUnavail, "WhatsApp sent no code. Call whatsapp_connection_status to see why, then try again.")
}

// image adds a QR code that the user sees.
func (c *call) image(text string) error {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return fmt.Errorf("draw the QR code: %w", err)
	}
	c.more = append(c.more, mcp.ImageContent{
		Annotated: mcp.Annotated{Annotations: &mcp.Annotations{Audience: []mcp.Role{mcp.RoleUser}}},
		Type:      mcp.ContentTypeImage,
		Data:      base64.StdEncoding.EncodeToString(code.PNG()),
		MIMEType:  "image/png",
	})
	return nil
}
