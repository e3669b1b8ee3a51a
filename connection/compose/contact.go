package compose

import (
	"context"
	"strings"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"waoutbox/outbox/api"
)

// Limits of a card.
const (
	maxCard  = 32 << 10 // bytes
	maxName  = 256      // characters
	maxPhone = 16       // numbers
)

// contact is a person's card.
type contact struct {
	api.Contact
	quotedID string
}

func (c contact) check() error {
	if err := checkShort("name", "contact.name", c.Name, maxName); err != nil {
		return err
	}
	if err := checkShort("organization", "contact.organization", c.Organization, maxName); err != nil {
		return err
	}
	if c.VCard != "" {
		return c.checkCard()
	}
	switch {
	case strings.TrimSpace(c.Name) == "":
		return api.Errorf(api.CodeInvalidArguments, "the contact has no name: give one, or a vcard").In("contact.name")
	case len(c.Phones) == 0:
		return api.Errorf(api.CodeInvalidArguments, "the contact has no phone number: give one with its country code, or a vcard").In("contact.phones")
	case len(c.Phones) > maxPhone:
		return api.Errorf(api.CodeInvalidArguments, "the contact has %d phone numbers, at most %d are sent", len(c.Phones), maxPhone).In("contact.phones")
	}
	for _, phone := range c.Phones {
		if _, err := parsePhone(phone); err != nil {
			return err
		}
	}
	return nil
}

func (c contact) checkCard() error {
	if len(c.Phones) > 0 || c.Organization != "" {
		return api.Errorf(api.CodeInvalidArguments, "give either a vcard, or name, phones and organization to make one of").In("contact.vcard")
	}
	card := strings.TrimSpace(c.VCard)
	upper := strings.ToUpper(card)
	switch {
	case !utf8.ValidString(c.VCard):
		return api.Errorf(api.CodeInvalidArguments, "the vcard is not valid UTF-8").In("contact.vcard")
	case len(c.VCard) > maxCard:
		return api.Errorf(api.CodeInvalidArguments, "the vcard has %d bytes, at most %d are sent: leave its picture out", len(c.VCard), maxCard).In("contact.vcard")
	case !strings.HasPrefix(upper, "BEGIN:VCARD") || !strings.HasSuffix(upper, "END:VCARD"):
		return api.Errorf(api.CodeInvalidArguments, "the vcard is none: it has to begin with BEGIN:VCARD and end with END:VCARD").In("contact.vcard")
	case strings.TrimSpace(c.Name) == "" && cardName(card) == "":
		return api.Errorf(api.CodeInvalidArguments, "the vcard has no FN line: give the name beside it").In("contact.vcard")
	}
	return nil
}

func (c contact) build(ctx context.Context, env Env) (*waE2E.Message, error) {
	info, err := env.replyTo(ctx, c.quotedID)
	if err != nil {
		return nil, err
	}
	name, card := strings.TrimSpace(c.Name), strings.TrimSpace(c.VCard)
	if card == "" {
		card = c.card()
	}
	if name == "" {
		name = cardName(card)
	}
	return &waE2E.Message{ContactMessage: &waE2E.ContactMessage{
		DisplayName: proto.String(name), Vcard: proto.String(card), ContextInfo: info,
	}}, nil
}

// card is the vCard 3.0 (RFC 2426) of name, organization and numbers. With waid WhatsApp offers to
// write to the number.
func (c contact) card() string {
	name := escapeCard(strings.TrimSpace(c.Name))
	lines := []string{"BEGIN:VCARD", "VERSION:3.0", "N:;" + name + ";;;", "FN:" + name}
	if c.Organization != "" {
		lines = append(lines, "ORG:"+escapeCard(strings.TrimSpace(c.Organization))+";")
	}
	for _, phone := range c.Phones {
		digits, err := parsePhone(phone)
		if err != nil {
			continue // check has refused it
		}
		lines = append(lines, "TEL;type=CELL;waid="+digits+":+"+digits)
	}
	return strings.Join(append(lines, "END:VCARD"), "\n")
}

// escapeCard writes a text as a value of a vCard.
func escapeCard(s string) string {
	return strings.NewReplacer("\\", "\\\\", ";", "\\;", ",", "\\,", "\r\n", "\\n", "\n", "\\n", "\r", "\\n").Replace(s)
}

// cardName is the formatted name of a vCard, "" when it has none.
func cardName(card string) string {
	for line := range strings.Lines(card) {
		property, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		name, _, _ := strings.Cut(property, ";")
		if ok && strings.EqualFold(name, "FN") {
			return strings.TrimSpace(strings.NewReplacer("\\,", ",", "\\;", ";", "\\n", " ", "\\N", " ", "\\\\", "\\").Replace(value))
		}
	}
	return ""
}
