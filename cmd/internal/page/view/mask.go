package view

import (
	"regexp"
	"strings"
)

// Hidden stands for a name or a number while they are hidden.
const Hidden = "•••"

// digits are what may be a phone number in a sentence.
var digits = regexp.MustCompile(`\+?\d{7,20}(@[a-z.]+)?`)

// Mask hides what may be a phone number in a text.
func Mask(text string) string { return digits.ReplaceAllString(text, Hidden) }

// Number renders an address as people write it: "+491515550111"; what is no phone number stays.
func Number(jid string) string {
	user, server, _ := strings.Cut(jid, "@")
	user, _, _ = strings.Cut(user, ":")
	if server == "s.whatsapp.net" && user != "" && strings.Trim(user, "0123456789") == "" {
		return "+" + user
	}
	return jid
}
