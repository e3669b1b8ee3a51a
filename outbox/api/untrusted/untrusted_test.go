package untrusted_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"waoutbox/outbox/api/untrusted"
)

// hidden are runes that nobody sees, or that turn or forge what is seen.
func hidden() (all []rune) {
	add := func(from, to rune) {
		for r := from; r <= to; r++ {
			all = append(all, r)
		}
	}
	add(0, 0x1f)
	add(0x7f, 0x9f)         // C1: U+009B and U+009D begin control sequences on some terminals
	add(0x200b, 0x200f)     // zero width, marks of direction
	add(0x2028, 0x202e)     // ends of lines and paragraphs, embeddings
	add(0x2060, 0x206f)     // word joiner, invisible operators, isolates
	add(0xe0000, 0xe007f)   // tag characters, which repeat ASCII
	add(0xe0100, 0xe01ef)   // variation selectors, which can carry bytes
	add(0xfe00, 0xfe0d)     //
	add(0xfff9, 0xfffb)     // annotations
	add(0xe000, 0xe001)     // private use
	add(0x10fffe, 0x10ffff) // no characters
	return append(all, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x180b, 0x180e, 0x2800, 0x3164, 0xfe0e, 0xfe0f, 0xfeff, 0xffa0, 0xfffd, 0x1d173)
}

// Whatever hides is an escape on a terminal, is gone for a model, and keeps its value in JSON.
//
// Mutation of untrusted.go: control sequences of eight bits reach the terminal.
// Mutation of untrusted.go: tags and what has no width reach the terminal.
func TestWhatHidesIsSeenOrGone(t *testing.T) {
	for _, r := range hidden() {
		s := "a" + string(r) + "b"
		if got := untrusted.Escape(s); strings.ContainsRune(got, r) || !strings.HasPrefix(got, "a\\") || !strings.HasSuffix(got, "b") {
			t.Errorf("Escape of U+%04X is %q", r, got)
		}
		want := "ab"
		switch r {
		case '\n':
			want = s
		case '\t':
			want = "a b"
		}
		if got := untrusted.Strip(s); got != want {
			t.Errorf("Strip of U+%04X is %q", r, got)
		}
		raw, err := json.Marshal(map[string]string{"k": s})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{raw, []byte(`{"k":"` + strings.Trim(string(raw[5:len(raw)-1]), `"`) + `"}`)} {
			escaped := untrusted.EscapeJSON(b)
			for _, c := range string(escaped) {
				if c < ' ' || c > '~' {
					t.Errorf("EscapeJSON of U+%04X is %q", r, escaped)
				}
			}
			var got map[string]string
			if err := json.Unmarshal(escaped, &got); err != nil || got["k"] != strings.ToValidUTF8(s, "\ufffd") {
				t.Errorf("EscapeJSON of U+%04X is %q: %q, %v", r, escaped, got["k"], err)
			}
			if err := json.Unmarshal(untrusted.StripJSON(b), &got); err != nil || got["k"] != want {
				t.Errorf("StripJSON of U+%04X: %q, %v", r, got["k"], err)
			}
		}
	}
}

// What people write stays as it is.
func TestTextsOfPeopleStay(t *testing.T) {
	for _, s := range []string{
		"plain text, 1 < 2 & \"quotes\" \\ back", "Grüße, ÄÖÜ ß é ñ", "日本語 한국어 中文", "Привет", "שלום", "مرحبا", "می\u200cخواهم", "क्\u200dष", "❤\ufe0f", "1\ufe0f⃣",
		"👨\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈", "👍🏽", "🇩🇪", "a\u00a0b", "a\u3000b", "½ € ™ ©\ufe0f", "e\u0301",
	} {
		if got := untrusted.Escape(s); got != s {
			t.Errorf("Escape(%q) = %q", s, got)
		}
		if got := untrusted.Strip(s); got != s {
			t.Errorf("Strip(%q) = %q", s, got)
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := untrusted.StripJSON(b); string(got) != string(b) {
			t.Errorf("StripJSON(%s) = %s", b, got)
		}
	}
	for hides, want := range map[string]string{"a\u200db": "ab", "\u200d": "", "👍\u200d\u200d\u200d👍": "👍👍", "❤\ufe0f\ufe0f": "❤\ufe0f", "🏴\U000e0067\U000e007f": "🏴", "\xff": ""} {
		if got := untrusted.Strip(hides); got != want && !(strings.Contains(want, "👍👍") && got == "👍\u200d👍") {
			t.Errorf("Strip(%q) = %q, want %q", hides, got, want)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":"\u001b[31m\\u202e","b":["\ud83d\ude00\ud83d","x"]}`, "\"\u202e\u200d\"", `"\\\u0000"`, `"`, `"\u12`, "\"\xff\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		escaped, stripped := untrusted.EscapeJSON(b), untrusted.StripJSON(b)
		if !json.Valid(b) {
			return
		}
		if !json.Valid(escaped) || !json.Valid(stripped) {
			t.Fatalf("%q became %q and %q", b, escaped, stripped)
		}
		var was, is any
		if json.Unmarshal(b, &was) == nil && json.Unmarshal(escaped, &is) == nil {
			x, _ := json.Marshal(was)
			y, _ := json.Marshal(is)
			if string(x) != string(y) && utf8.Valid(b) {
				t.Fatalf("%q became %q", b, escaped)
			}
		}
		if again := untrusted.StripJSON(stripped); string(again) != string(stripped) && utf8.Valid(b) {
			t.Fatalf("%q, and again %q", stripped, again)
		}
	})
}

// FuzzText: what is escaped or stripped has nothing hidden, and is left alone the next time; text
// that was harmless stays.
func FuzzText(f *testing.F) {
	for _, s := range []string{"a\u200db", "\u202eabc", "\x1b]52;c;x\x07", "❤\ufe0f\ufe0f", "\U000e0041", "a\xff\xfeb", "\r\n\t", "👩\u200d\u200d👧", "\u200c\u200cم", "👩\u200d\ufe0f", "👩\u200d\u17b4", "ع\u200c\u180e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		escaped, stripped := untrusted.Escape(s), untrusted.Strip(s)
		for name, got := range map[string]string{"escaped": escaped, "stripped": stripped} {
			if !utf8.ValidString(got) {
				t.Errorf("%q is %s as %q", s, name, got)
			}
			for _, r := range got {
				if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r >= 0xe0000 && r <= 0xe007f || r == 0xfeff || r == 0x200b {
					t.Errorf("%q is %s as %q", s, name, got)
				}
			}
		}
		if strings.ContainsRune(escaped, '\n') {
			t.Errorf("%q is escaped as %q", s, escaped)
		}
		if again := untrusted.Escape(escaped); again != escaped {
			t.Errorf("%q is escaped as %q, and that as %q", s, escaped, again)
		}
		if again := untrusted.Strip(stripped); again != stripped {
			t.Errorf("%q is stripped to %q, and that to %q", s, stripped, again)
		}
	})
}
