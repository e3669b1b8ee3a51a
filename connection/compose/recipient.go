package compose

import (
	"strings"

	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

// The digits of an international phone number (E.164; nobody has fewer than seven).
const (
	minPhoneDigits = 7
	maxPhoneDigits = 15
)

// ParseRecipient reads a JID of a person, a group or a channel, or an international phone number
// with or without + or 00, spaces and the usual punctuation. A number comes back as a phone-number
// JID, and a JID without its device. Errors are *api.Error with a sentence that says what is wrong.
func ParseRecipient(to string) (types.JID, error) {
	to = strings.Map(visible, strings.TrimSpace(to))
	if to == "" {
		return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "the recipient is empty: give a JID such as 15550100123@s.whatsapp.net or a phone number such as +1 555 010 0123")
	}
	if strings.Contains(to, "@") {
		return parseJID(to)
	}
	digits, err := parsePhone(to)
	if err != nil {
		return types.JID{}, err
	}
	return types.NewJID(digits, types.DefaultUserServer), nil
}

// visible drops the marks of writing direction that address books put around numbers.
func visible(r rune) rune {
	if r >= '\u200b' && r <= '\u200f' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\ufeff' {
		return -1
	}
	return r
}

func parseJID(to string) (types.JID, error) {
	user, server, _ := strings.Cut(to, "@")
	to = user + "@" + strings.ToLower(server)
	jid, err := types.ParseJID(to)
	// the parser takes a second @ for part of the server
	if err != nil || jid.User == "" || strings.Contains(server, "@") {
		return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "the recipient %q is not a JID: it looks like 15550100123@s.whatsapp.net, 204813927440123@lid or 120363025846172094@g.us", shorten(to))
	}
	jid = translate.BareJID(jid)
	switch jid.Server {
	case types.LegacyUserServer: // c.us, as other programs print it
		jid.Server = types.DefaultUserServer
	case types.DefaultUserServer, types.HiddenUserServer, types.GroupServer, types.NewsletterServer:
	case types.BroadcastServer:
		return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "messages cannot be sent to %q: status and broadcast lists are the phone's; only to people (@s.whatsapp.net, @lid), groups (@g.us) and own channels (@newsletter)", shorten(to))
	default:
		return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "messages cannot be sent to %q: only to people (@s.whatsapp.net, @lid), groups (@g.us) and own channels (@newsletter)", shorten(to))
	}
	if jid.Server == types.DefaultUserServer {
		digits, bad := phoneDigits(jid.User)
		if bad != 0 || digits != jid.User {
			return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "the recipient %q is not a JID: before @s.whatsapp.net stands a phone number, digits only", shorten(to))
		}
		return jid, checkPhone(to, digits)
	}
	if strings.Trim(jid.User, "0123456789-") != "" {
		return types.JID{}, api.Errorf(api.CodeInvalidRecipient, "the recipient %q is not a JID: before @%s stand digits only", shorten(to), jid.Server)
	}
	return jid, nil
}

// parsePhone reads an international phone number as people write it and returns its digits, from
// the country code on: without the + or 00 before it, and without the (0) that is dialled inside
// the country only.
func parsePhone(phone string) (string, error) {
	s := strings.TrimSpace(strings.Map(visible, phone))
	if rest, ok := cutPrefixFold(s, "tel:"); ok {
		s = rest
	}
	international := strings.HasPrefix(s, "+") || strings.HasPrefix(s, "00")
	if international {
		before, after, found := strings.Cut(s, "(0)")
		if found {
			s = before + after
		}
	}
	digits, bad := phoneDigits(s)
	if bad != 0 {
		return "", api.Errorf(api.CodeInvalidRecipient, "%q is neither a JID nor a phone number (it has %q): give a JID such as 15550100123@s.whatsapp.net or a number such as +1 555 010 0123. To look for a name: waoutbox contact find NAME", shorten(phone), bad)
	}
	if !strings.HasPrefix(s, "+") {
		digits = strings.TrimPrefix(digits, "00")
	}
	return digits, checkPhone(phone, digits)
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// phonePunctuation is what people put between digits.
const phonePunctuation = " -().\u00a0\u2009\u202f\u2010\u2011\u2012\u2013\u2212/"

// phoneDigits leaves the digits of a number, and returns the first character that is in none.
func phoneDigits(s string) (digits string, bad rune) {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '+' && i == 0, strings.ContainsRune(phonePunctuation, r):
		default:
			return "", r
		}
	}
	return b.String(), 0
}

func checkPhone(to, digits string) error {
	switch {
	case strings.HasPrefix(digits, "0"):
		return api.Errorf(api.CodeInvalidRecipient, "the number %q starts with 0: write it with its country code, for example +49 151 … instead of 0151 …", shorten(to))
	case len(digits) < minPhoneDigits:
		return api.Errorf(api.CodeInvalidRecipient, "the number %q is too short: write it with its country code, for example +1 555 010 0123", shorten(to))
	case len(digits) > maxPhoneDigits:
		return api.Errorf(api.CodeInvalidRecipient, "the number %q is too long: a phone number has at most %d digits", shorten(to), maxPhoneDigits)
	}
	return nil
}
