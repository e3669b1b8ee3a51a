package pairing

import (
	"strings"

	"waoutbox/outbox/api"
)

// The digits a phone number with its country code may have.
const (
	minDigits = 7
	maxDigits = 15
)

// ParsePhone returns the digits of a number that has its country code: "+49 (0) 151 555-0100" and
// "0049 151…" are 49151….
func ParsePhone(text string) (string, error) {
	t := strings.ReplaceAll(strings.TrimSpace(text), "(0)", "")
	var b strings.Builder
	for i, r := range t {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '+' && i == 0, strings.ContainsRune(" \u00a0()-./", r):
		default:
			return "", invalidPhone(text)
		}
	}
	digits := b.String()
	if !strings.HasPrefix(t, "+") {
		digits = strings.TrimPrefix(digits, "00")
	}
	if len(digits) < minDigits || len(digits) > maxDigits || digits[0] == '0' {
		return "", invalidPhone(text)
	}
	return digits, nil
}

func invalidPhone(text string) *api.Error {
	return api.Errorf(api.CodeInvalidPhone, "%q is no phone number with its country code: give it as in +49 151 5550100", text)
}
