package settings

import "strings"

// noCountry are the beginnings of numbers that no country has (ITU-T E.164, the unassigned codes):
// a number that begins so lacks its country code.
var noCountry = strings.Fields("210 214 215 217 219 259 28 292 293 294 295 296 384 422 424 425 426 427 428 429 693 694 695 696 697 698 699 " +
	"801 802 803 804 805 806 807 809 83 851 854 857 858 859 884 885 887 889 89 969 978 990 999")

// withoutCountry returns the beginning of a number that is no country code, "" when it may be one.
func withoutCountry(number string) string {
	for _, code := range noCountry {
		if strings.HasPrefix(number, code) {
			return code
		}
	}
	return ""
}

// otherForm returns the other address under which WhatsApp may know a person, whose phone number it
// writes with or without a digit that people leave out or add: the 1 of Mexican mobile numbers, the
// 9 of Argentine and of Brazilian ones. "" for all others.
func otherForm(address string) string {
	number, person := strings.CutSuffix(address, "@s.whatsapp.net")
	other := ""
	switch n := len(number); {
	case !person:
	case strings.HasPrefix(number, "521") && n == 13:
		other = "52" + number[3:]
	case strings.HasPrefix(number, "52") && n == 12:
		other = "521" + number[2:]
	case strings.HasPrefix(number, "549") && n == 13:
		other = "54" + number[3:]
	case strings.HasPrefix(number, "54") && n == 12:
		other = "549" + number[2:]
	case strings.HasPrefix(number, "55") && n == 13 && number[4] == '9':
		other = number[:4] + number[5:]
	case strings.HasPrefix(number, "55") && n == 12 && number[4] >= '6':
		other = number[:4] + "9" + number[4:]
	}
	if other == "" {
		return ""
	}
	return other + "@s.whatsapp.net"
}
