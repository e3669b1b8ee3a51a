package term

import "testing"

func TestDidYouMean(t *testing.T) {
	known := []string{"message.received", "message.sent", "list", "last", "Status", "x"}
	for typed, want := range map[string]string{
		"message.recieved": " Did you mean message.received?",
		"MESSAGE.SENT":     " Did you mean message.sent?",
		"lisst":            " Did you mean list?",
		"lust":             " Did you mean list or last?",
		"sttaus":           " Did you mean Status?",
		"mess":             " Did you mean message.received or message.sent?",
		"nope":             "",
		"y":                "", // one letter is not half right
		"":                 "",
		"completely else":  "",
	} {
		if got := DidYouMean(typed, known); got != want {
			t.Errorf("DidYouMean(%q) = %q, want %q", typed, got, want)
		}
	}
}
