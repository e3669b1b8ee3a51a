package term

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rsc.io/qr"
)

func TestAge(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Hour, "0 s"}, {0, "0 s"}, {999 * time.Millisecond, "0 s"}, {59 * time.Second, "59 s"}, {time.Minute, "1 m"},
		{26*time.Minute + 59*time.Second, "26 m"}, {time.Hour, "1 h"}, {3*time.Hour + 12*time.Minute, "3 h 12 m"},
		{47*time.Hour + 59*time.Minute, "47 h 59 m"}, {48 * time.Hour, "2 d"}, {124 * time.Hour, "5 d 4 h"},
	} {
		if got := Age(tt.d); got != tt.want {
			t.Errorf("Age(%v) = %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 18204: "18,204", 1234567: "1,234,567", -1932: "-1,932"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	if got := Plural(1, "letter", "letters"); got != "1 letter" {
		t.Errorf("Plural(1) = %q", got)
	}
	if got := Plural(2000, "letter", "letters"); got != "2,000 letters" {
		t.Errorf("Plural(2000) = %q", got)
	}
}

func TestBytesAndMillis(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9950: "10 kB", 41_000_000: "41 MB",
		999_499_999: "999 MB", 10_700_000_000: "11 GB", 5_000_000_000_000_000: "5.0 PB", -1: "0 B"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 ms", 999: "999 ms", 1000: "1.0 s", 10_000: "10.0 s"} {
		if got := Millis(n); got != want {
			t.Errorf("Millis(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestClockShowsTheDateOnlyOfOtherDays(t *testing.T) {
	loc := time.FixedZone("x", 2*3600)
	now := time.Date(2026, 1, 31, 23, 30, 0, 0, time.UTC) // already the next day in loc
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{now.Add(-time.Hour), "00:30:00"},
		{now.Add(-2 * time.Hour), "2026-01-31 23:30:00"},
		{time.Time{}, None},
	} {
		if got := Clock(tt.at, now, loc); got != tt.want {
			t.Errorf("Clock(%v) = %q, want %q", tt.at, got, tt.want)
		}
	}
}

func TestCleanLeavesNothingThatMovesTheCursor(t *testing.T) {
	for in, want := range map[string]string{
		"plain äöü 漢 😀":       "plain äöü 漢 😀",
		"a\x1b[2Jb":           `a\u001b[2Jb`,
		"line\nerror: forged": `line\u000aerror: forged`,
		"c1 \u009b31m":        `c1 \u009b31m`,
		"rtl \u202egpj.exe":   `rtl \u202egpj.exe`,
		"bad \xff utf8":       `bad \ufffd utf8`,
		"\u2066x\u2069":       `\u2066x\u2069`,
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestShortCutsRunes(t *testing.T) {
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{{"häuser", 6, "häuser"}, {"häuser", 4, "häu…"}, {"x", 0, "…"}} {
		if got := Short(tt.in, tt.n); got != tt.want || !utf8.ValidString(got) {
			t.Errorf("Short(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

func TestTableAligns(t *testing.T) {
	tab := NewTable(Column{Name: "NAME"}, Column{Name: "COUNT", Right: true}, Column{Name: "LAST"})
	tab.Row("häuser", "1", "x")
	tab.Row("a", "1,000", "")
	var b bytes.Buffer
	if err := tab.Write(&b, Style{}, " "); err != nil {
		t.Fatal(err)
	}
	want := " NAME     COUNT   LAST\n" +
		" häuser       1   x\n" +
		" a        1,000\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestTableAlignsColouredCells(t *testing.T) {
	s := Style{Color: true}
	tab := NewTable(Column{Name: "STATE"}, Column{Name: "N"})
	tab.Row(s.Red("failing"), "1")
	tab.Row(s.Green("active"), "2")
	var b bytes.Buffer
	if err := tab.Write(&b, s, ""); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(stripColours(b.String()), "\n")
	if lines[1] != "failing   1" || lines[2] != "active    2" {
		t.Errorf("got %q", lines)
	}
	if !strings.Contains(b.String(), "\x1b[31mfailing\x1b[0m") {
		t.Errorf("the colour is lost: %q", b.String())
	}
}

func stripColours(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == 0x1b {
			for s[i] != 'm' {
				i++
			}
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func TestStyleIsOffWithoutATerminal(t *testing.T) {
	var b bytes.Buffer
	s := StyleFor(&b, func(string) string { return "" })
	if s.Color || s.Red("x") != "x" {
		t.Error("a buffer got colours")
	}
	if cols, rows := Size(&b); cols != 0 || rows != 0 {
		t.Errorf("a buffer has a size: %d×%d", cols, rows)
	}
}

func TestBar(t *testing.T) {
	var b bytes.Buffer // read after Clear only, when nothing draws any more
	bar := NewBar(&b, true, "replaying 10")
	bar.Draw(5, 10, "20/s")
	bar.Clear()
	if want := "replaying 10  ███████████░░░░░░░░░░░ [5/10  20/s]\n"; !strings.HasSuffix(b.String(), want+"\x1b[1A\x1b[2K\r") {
		t.Errorf("got %q, want %q and then nothing of it", b.String(), want)
	}
	b.Reset()
	bar.Clear()
	silent := NewBar(&b, false, "x")
	silent.Draw(1, 2, "")
	silent.Clear()
	if b.Len() > 0 {
		t.Errorf("drawn without reason: %q", b.String())
	}
	bar.Draw(20, 10, "") // more than all must not fault
	bar.Draw(0, 0, "")
	bar.Clear()
	if want := "░ [0/0]"; !strings.Contains(b.String(), want) {
		t.Errorf("drawn again: %q, want %q", b.String(), want)
	}
}

func TestQRFitsAndKeepsItsModules(t *testing.T) {
	text := "2@" + strings.Repeat("Ab3/", 59) // as long as WhatsApp's
	plain, err := DrawQR(text, Style{})
	if err != nil {
		t.Fatal(err)
	}
	if len(plain.Lines) > 34 || plain.Cols > 66 {
		t.Errorf("needs %d rows and %d columns", len(plain.Lines), plain.Cols)
	}
	for _, line := range plain.Lines {
		if n := utf8.RuneCountInString(line); n != plain.Cols {
			t.Fatalf("a line has %d cells, the others %d", n, plain.Cols)
		}
	}
	coloured, err := DrawQR(text, Style{Color: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := stripColours(strings.Join(coloured.Lines, "\n")); got != strings.Join(plain.Lines, "\n") {
		t.Error("colours change the code")
	}
	if !strings.HasPrefix(coloured.Lines[0], "\x1b[97;40m") || !strings.HasSuffix(coloured.Lines[0], "\x1b[0m") {
		t.Errorf("a line does not set and reset its colours: %q", coloured.Lines[0])
	}
	if _, err := DrawQR(strings.Repeat("x", 5000), Style{}); err == nil {
		t.Error("a text that no QR code holds was drawn")
	}
}

// TestQRHoldsTheText reads the drawn blocks back into modules and compares them with the code of
// the text.
func TestQRHoldsTheText(t *testing.T) {
	text := "2@" + strings.Repeat("Ab3/", 59)
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := DrawQR(text, Style{})
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]bool // true is dark; two rows a line
	for _, line := range drawn.Lines {
		var upper, lower []bool
		for _, r := range line {
			upper = append(upper, r == ' ' || r == '▄')
			lower = append(lower, r == ' ' || r == '▀')
		}
		rows = append(rows, upper, lower)
	}
	// The first text row is half of the quiet zone; the zone is one module wide.
	for y := range code.Size {
		for x := range code.Size {
			if rows[y+2][x+1] != code.Black(x, y) {
				t.Fatalf("module %d,%d is drawn %v", x, y, rows[y+2][x+1])
			}
		}
	}
	for y := 1; y < code.Size+2; y++ {
		if rows[y][0] || rows[y][code.Size+1] {
			t.Fatalf("the quiet zone is broken in row %d", y)
		}
	}
}

// A table fits its terminal: the widest cells are shortened in their middle, ids and numbers never.
//
// Mutation of table.go: columns that are left out although the others can be narrower, or not left
// out although they cannot.
func TestTableFits(t *testing.T) {
	table := func() *Table {
		tb := NewTable(Column{Name: "WEBHOOK"}, Column{Name: "URL", Shrink: 16}, Column{Name: "EVENTS", Shrink: 8}, Column{Name: "DEAD", Right: true})
		tb.Row("wh_7K2M9QRT", "https://crm.example/"+strings.Repeat("hooks/", 20)+"wa", "message.received, message.sent", "1,932")
		tb.Row("wh_9QRT7K2M", "http://localhost:5678/", "*", "0")
		return tb
	}
	for _, width := range []int{0, 200, 80, 60, 10} {
		var out strings.Builder
		tb := table()
		tb.Fit(width)
		if err := tb.Write(&out, Style{}, ""); err != nil {
			t.Fatal(err)
		}
		got := out.String()
		widest := 0
		for line := range strings.Lines(got) {
			widest = max(widest, len([]rune(strings.TrimRight(line, "\n"))))
		}
		if width >= 60 && widest > width || width == 0 && widest < 180 {
			t.Errorf("in %d columns it takes %d:\n%s", width, widest, got)
		}
		for _, whole := range []string{"wh_7K2M9QRT", "wh_9QRT7K2M", "1,932", "crm.", "wa "} {
			if !strings.Contains(got, whole) {
				t.Errorf("in %d columns %q is not in it:\n%s", width, whole, got)
			}
		}
	}
	letters := func(width int) string {
		tb := NewTable(Column{Name: "ID"}, Column{Name: "TRIES", Right: true, Optional: true}, Column{Name: "LAST ERROR", Shrink: 12, Prose: true}, Column{Name: "URL", Shrink: 16, Optional: true})
		tb.Row("dl_wh_7K2M9QRT_18031", "4", "503 Service Unavailable", "https://crm.example/hooks/wa")
		return written(t, tb, width)
	}
	for width, want := range map[int]string{
		80: "dl_wh_7K2M9QRT_18031      4  503 Service Unavailable  crm.example/hooks/wa\n",
		60: "dl_wh_7K2M9QRT_18031      4  503 Service…  crm.exam…ooks/wa\n",
		52: "dl_wh_7K2M9QRT_18031      4  503 Service Unavailable\n",
		36: "dl_wh_7K2M9QRT_18031  503 Service U…\n",
	} {
		if _, got, _ := strings.Cut(letters(width), "\n"); got != want {
			t.Errorf("in %d columns a row is %q, want %q", width, got, want)
		}
	}
	// of the URL nothing was left beside the tail
	tailed := func(width int) string {
		tb := NewTable(Column{Name: "ID"}, Column{Name: "URL", Shrink: 16, Tail: " (removed)", Optional: true})
		tb.Row("wh_7K2M9QRT", "https://crm.example/hooks/wa (removed)")
		tb.Row("wh_9QRT7K2M", "https://crm.example/hooks/other")
		return written(t, tb, width)
	}
	for width, want := range map[int]string{
		45: "wh_7K2M9QRT  crm.example/hooks/wa (removed)\nwh_9QRT7K2M  https://crm.example/hooks/other\n",
		39: "wh_7K2M9QRT  crm.exam…ooks/wa (removed)\nwh_9QRT7K2M  crm.example/hooks/other\n",
		38: "wh_7K2M9QRT\nwh_9QRT7K2M\n",
	} {
		if _, got, _ := strings.Cut(tailed(width), "\n"); got != want {
			t.Errorf("in %d columns the rows are %q, want %q", width, got, want)
		}
	}
	if got := Middle("ü世界世界世界", 7); got != "ü世…世" && got != "ü世…界" {
		t.Errorf("wide characters are cut to %q", got)
	}
	title, text := fitBar("replaying 23 to https://crm.example/hooks/wa/"+strings.Repeat("x", 80), "1,234/5,678  20/s  3 failed  2 m left", 80)
	if n := len([]rune(title)) + len([]rune(text)) + barWidth + barMarks; n > 80 || !strings.Contains(text, "left") {
		t.Errorf("a bar takes %d columns: %q %q", n, title, text)
	}
}

// written is a table in so many columns.
func written(t *testing.T, tb *Table, width int) string {
	t.Helper()
	tb.Fit(width)
	var out strings.Builder
	if err := tb.Write(&out, Style{}, ""); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
