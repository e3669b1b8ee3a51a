package connection

import (
	"strings"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/outbox/api"
)

// The digits of an international phone number (E.164; nobody has fewer than seven).
const (
	minPhoneDigits = 7
	maxPhoneDigits = 15
)

// parseRecipient reads a JID of a person or group, or an international phone number with or without +, spaces and the usual
// punctuation. A number comes back as a phone-number JID.
func parseRecipient(to string) (types.JID, error) {
	to = strings.TrimSpace(to)
	if to == "" {
		return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "the recipient is empty: give a JID such as 15550100123@s.whatsapp.net or a phone number such as +1 555 010 0123")
	}
	if strings.Contains(to, "@") {
		return parseJIDRecipient(to)
	}
	digits, bad := phoneDigits(to)
	if bad != 0 {
		return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "the recipient %q is neither a JID nor a phone number (it has %q): give a JID such as 15550100123@s.whatsapp.net or a number such as +1 555 010 0123", to, bad)
	}
	if err := checkPhone(to, digits); err != nil {
		return types.JID{}, err
	}
	return types.NewJID(digits, types.DefaultUserServer), nil
}

func parseJIDRecipient(to string) (types.JID, error) {
	jid, err := types.ParseJID(to)
	if err != nil || jid.User == "" || strings.Count(to, "@") != 1 { // the parser takes a second @ for part of the server
		return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "the recipient %q is not a JID: it looks like 15550100123@s.whatsapp.net, 204813927440123@lid or 120363025846172094@g.us", to)
	}
	jid = plain(jid)
	switch jid.Server {
	case types.LegacyUserServer: // c.us, as other programs print it
		jid.Server = types.DefaultUserServer
	case types.DefaultUserServer, types.HiddenUserServer, types.GroupServer:
	default:
		return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "messages cannot be sent to %q: only to people (@s.whatsapp.net, @lid) and groups (@g.us)", to)
	}
	if jid.Server == types.DefaultUserServer {
		digits, bad := phoneDigits(jid.User)
		if bad != 0 || digits != jid.User {
			return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "the recipient %q is not a JID: before @s.whatsapp.net stands a phone number, digits only", to)
		}
		return jid, checkPhone(to, digits)
	}
	if strings.Trim(jid.User, "0123456789-") != "" {
		return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "the recipient %q is not a JID: before @%s stand digits only", to, jid.Server)
	}
	return jid, nil
}

// phoneDigits leaves the digits of a number as people write it, and answers the first character that is in none.
func phoneDigits(s string) (digits string, bad rune) {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '+' && i == 0, strings.ContainsRune(" -().\u00a0\u202f/", r):
		default:
			return "", r
		}
	}
	return b.String(), 0
}

func checkPhone(to, digits string) error {
	switch {
	case strings.HasPrefix(digits, "0"):
		return api.Errorf(api.CodeInvalidRecipient, "the number %q starts with 0: write it with its country code, for example +49 151 … instead of 0151 …", to)
	case len(digits) < minPhoneDigits:
		return api.Errorf(api.CodeInvalidRecipient, "the number %q is too short: write it with its country code, for example +1 555 010 0123", to)
	case len(digits) > maxPhoneDigits:
		return api.Errorf(api.CodeInvalidRecipient, "the number %q is too long: a phone number has at most %d digits", to, maxPhoneDigits)
	}
	return nil
}
