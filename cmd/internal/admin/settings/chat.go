package settings

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// ConnectionChat is what events about the link to WhatsApp have where others have their chat.
const ConnectionChat = "connection"

// The digits of an international phone number (E.164; nobody has fewer than seven).
const (
	minPhoneDigits = 7
	maxPhoneDigits = 15
	// maybeLID is how many digits a bare number has at least that may just as well be a LID.
	maybeLID = 14
	// maxAddress bounds what is looked at, in bytes.
	maxAddress = 128
)

// servers are what may stand behind the @ of a chat's address, and what events carry for it.
var servers = map[string]string{
	"s.whatsapp.net": "s.whatsapp.net", "c.us": "s.whatsapp.net", "hosted": "s.whatsapp.net",
	"lid": "lid", "hosted.lid": "lid",
	"g.us": "g.us", "newsletter": "newsletter", "broadcast": "broadcast", "bot": "bot", "msgr": "msgr", "interop": "interop",
}

var (
	// oldGroup is the id of a group of old: its creator's number and the second it was made.
	oldGroup = regexp.MustCompile(`^[0-9]{7,15}-[0-9]{10}$`)
	digits   = regexp.MustCompile(`^[0-9]+$`)
	// national is a number as people in North America write it among themselves.
	national = regexp.MustCompile(`^[0-9]{3}[-. ][0-9]{3}[-. ][0-9]{4}$`)
	// trunk is the zero that is dialled within a country only, as it stands in +49 (0) 151 ….
	trunk  = regexp.MustCompile(`\(\s*0\s*\)`)
	shares = regexp.MustCompile(`(?i)^(https?://)?wa\.me/\+?`)
	invite = regexp.MustCompile(`(?i)^(https?://)?(chat\.whatsapp\.com|(www\.)?whatsapp\.com/channel)/`)
)

// Chat returns the address of a chat as events carry it, from what a person types: a phone number
// with its country code in any punctuation, the address of a person, group, channel, bot or
// broadcast list in any case, with or without device, or the id of a group of old.
// ConnectionChat stands for itself. What no event can carry is refused; field names the setting in
// that sentence.
func Chat(field, text string) (string, error) {
	s := strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) { // direction marks, which come along when a number is copied
			return -1
		}
		return r
	}, text))
	bad := func(format string, args ...any) (string, error) {
		return "", api.Errorf(api.CodeInvalidArguments, field+" %q "+format, append([]any{term.Short(text, 60)}, args...)...).In(field)
	}
	switch {
	case s == "":
		return bad("is empty: give a phone number such as +49 151 55501001, or a chat's address as events show it in remoteJid")
	case len(s) > maxAddress:
		return bad("is too long for a chat")
	case strings.EqualFold(s, ConnectionChat):
		return ConnectionChat, nil
	case invite.MatchString(s):
		return bad("is an invitation: give the address that events of this chat show in remoteJid, like 120363025846172094@g.us")
	case strings.Contains(s, "@"):
		return address(s, bad)
	case oldGroup.MatchString(s):
		return s + "@g.us", nil
	case digits.MatchString(s) && len(s) > maxPhoneDigits:
		return bad("is too long for a phone number: write %[2]s@g.us for a group, %[2]s@newsletter for a channel", s)
	case digits.MatchString(s) && len(s) >= maybeLID && s[0] != '0':
		return bad("may be a phone number or a LID: write +%[2]s for the number, %[2]s@lid for the LID", s)
	}
	return phone(s, bad)
}

// refusal makes the error of one text.
type refusal func(format string, args ...any) (string, error)

// phone reads a number with its country code.
func phone(s string, bad refusal) (string, error) {
	international := false
	if link := shares.FindString(s); link != "" {
		s, international = s[len(link):], true
	}
	if strings.HasPrefix(s, "(+") || strings.HasPrefix(s, "(00") {
		s = strings.Replace(s[1:], ")", "", 1)
	}
	for _, prefix := range []string{"+", "00"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && !international {
			s, international = trunk.ReplaceAllString(rest, ""), true
		}
	}
	if !international && (strings.HasPrefix(s, "(") || national.MatchString(s)) {
		return bad("has no country code: write it like +1 555 010 0123")
	}
	var number strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			number.WriteRune(r)
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), strings.ContainsRune("().\u2212/", r):
		default:
			return bad("is neither a phone number nor a chat's address (it has %q): write +49 151 55501001, 204813927440123@lid or 120363025846172094@g.us", r)
		}
	}
	n := number.String()
	switch {
	case strings.HasPrefix(n, "0"):
		return bad("has no country code: write it like +49 151 … instead of 0151 …")
	case withoutCountry(n) != "":
		return bad("has no country code (none begins with %s): write it like +1 555 010 0123", withoutCountry(n))
	case len(n) < minPhoneDigits:
		return bad("is too short for a phone number: write it with its country code, like +1 555 010 0123")
	case len(n) > maxPhoneDigits:
		return bad("is too long: a phone number has at most %d digits", maxPhoneDigits)
	}
	return n + "@s.whatsapp.net", nil
}

// address reads user@server.
func address(s string, bad refusal) (string, error) {
	user, server, _ := strings.Cut(s, "@")
	user, server = strings.TrimSpace(user), strings.ToLower(strings.TrimSpace(server))
	carried, known := servers[server]
	switch {
	case strings.Contains(server, "@"):
		return bad("is no chat's address: there is one @ in it, like 204813927440123@lid")
	case !known:
		return bad("is no chat's address: @%s is not known.%s One ends with @s.whatsapp.net or @lid (a person), @g.us (a group), @newsletter (a channel)",
			server, term.DidYouMean(server, knownServers()))
	}
	if strings.EqualFold(user, "status") && carried == "broadcast" {
		return "status@broadcast", nil
	}
	name := strings.TrimPrefix(user, "+")
	if i := strings.IndexAny(name, ":._"); i >= 0 { // agent and device, which no chat has
		if strings.Trim(name[i:], ":._0123456789") != "" {
			return bad("is no chat's address: before the @ stands a number, like 204813927440123@lid")
		}
		name = name[:i]
	}
	switch {
	case carried == "msgr" || carried == "interop":
		if name == "" || name[0] == '+' || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }) {
			return bad("is no chat's address: nothing usable stands before the @")
		}
	case carried == "g.us" && oldGroup.MatchString(name):
	case !digits.MatchString(name):
		return bad("is no chat's address: before @%s stands a number, digits only", carried)
	case carried == "s.whatsapp.net" && len(name) > 1 && name[0] == '0':
		return bad("has no country code: a person's address begins with it, like 4915155501001@s.whatsapp.net")
	case carried == "s.whatsapp.net" && len(name) > maxPhoneDigits:
		return bad("is too long: a phone number has at most %d digits; a group's address ends with @g.us", maxPhoneDigits)
	}
	return name + "@" + carried, nil
}

func knownServers() []string {
	var names []string
	for s := range servers {
		names = append(names, s)
	}
	slices.Sort(names)
	return names
}
