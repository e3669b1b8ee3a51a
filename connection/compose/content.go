package compose

import (
	"encoding/json"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/translate"
)

// contentVersion is the version of a ledger entry's content. Fields may be added.
const contentVersion = 1

// Content is what the ledger keeps of a message, enough to send it again under the same id and to
// tell of it later, of the account that sends it: another one may be linked by then.
type Content struct {
	By      translate.Self // the account that sends it; zero in entries of older versions
	To      types.JID      // the chat
	Message *waE2E.Message // nil before it is built
	// what was asked for, so that a repeated idempotency key is known for a repetition: the
	// recipient as the caller named it, and Request.Fingerprint. Entries of older versions lack
	// both
	Asked       types.JID
	Fingerprint string
	// records of the audit trail, to be stored when the message is: outbox.Audit, as JSON. nil in
	// entries of older versions
	Audit []byte
}

// storedContent is Content as it is written.
type storedContent struct {
	Version     int    `json:"v"`
	To          string `json:"to"`                // JID
	Message     []byte `json:"message"`           // waE2E.Message
	Account     string `json:"account,omitempty"` // JID
	LID         string `json:"lid,omitempty"`     // the account's other address
	Asked       string `json:"asked,omitempty"`   // JID
	Fingerprint string `json:"fingerprint,omitempty"`
	Audit       []byte `json:"audit,omitempty"`
}

// Encode writes a content.
func (c Content) Encode() ([]byte, error) {
	raw, err := proto.Marshal(c.Message)
	if err != nil {
		return nil, fmt.Errorf("encode the message: %w", err)
	}
	return json.Marshal(storedContent{
		Version: contentVersion, To: c.To.String(), Message: raw,
		Account: translate.BareJID(c.By.PN).String(), LID: translate.BareJID(c.By.LID).String(),
		Asked: c.Asked.String(), Fingerprint: c.Fingerprint, Audit: c.Audit,
	})
}

// DecodeContent reads what Encode wrote.
func DecodeContent(b []byte) (Content, error) {
	var in storedContent
	if err := json.Unmarshal(b, &in); err != nil {
		return Content{}, fmt.Errorf("decode a send's content: %w", err)
	}
	if in.Version != contentVersion {
		return Content{}, fmt.Errorf("decode a send's content: version %d is not known to this program", in.Version)
	}
	c := Content{Message: new(waE2E.Message), Fingerprint: in.Fingerprint, Audit: in.Audit}
	for _, part := range []struct {
		what, text string
		jid        *types.JID
	}{{"chat", in.To, &c.To}, {"recipient", in.Asked, &c.Asked}, {"account", in.Account, &c.By.PN}, {"account", in.LID, &c.By.LID}} {
		if part.text == "" {
			continue
		}
		jid, err := types.ParseJID(part.text)
		if err != nil {
			return Content{}, fmt.Errorf("decode a send's %s: %w", part.what, err)
		}
		*part.jid = jid
	}
	if err := proto.Unmarshal(in.Message, c.Message); err != nil {
		return Content{}, fmt.Errorf("decode a send's message: %w", err)
	}
	return c, nil
}
