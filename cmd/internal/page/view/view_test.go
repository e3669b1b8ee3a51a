package view

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// TestDescribeEveryEvent: every body that receivers can get is named in words, none of which is its
// content; hidden, nothing of whose it is remains.
func TestDescribeEveryEvent(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../../connection/translate/testdata/events/*.json")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d bodies, %v", len(files), err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Event string `json:"event"`
		}
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		ev := api.Event{Event: body.Event, Chat: "204813927440123@lid", ChatAlt: "15550100123@s.whatsapp.net", Body: string(raw)}
		m := Describe(ev, false)
		if m.Kind == "" || m.Kind == "message" || m.Kind == "update" || strings.Contains(m.Kind, "Message") {
			t.Errorf("%s is called %q", filepath.Base(name), m.Kind)
		}
		if m.Content != "" && len(m.Content) > 2 && strings.Contains(m.Kind, m.Content) {
			t.Errorf("%s: %q tells the content", filepath.Base(name), m.Kind)
		}
		if m.Number != "+15550100123" {
			t.Errorf("%s: the number is %q", filepath.Base(name), m.Number)
		}
		if hidden := Describe(ev, true); hidden.Name != "" || hidden.Content != "" || hidden.Number != Hidden {
			t.Errorf("%s, hidden: %+v", filepath.Base(name), hidden)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	message := func(content string) string {
		return `{"data":{"messages":[{"key":{"fromMe":false},"pushName":"Bob","message":` + content + `}]}}`
	}
	for body, want := range map[string]Message{
		message(`{"conversation":"hi"}`):                                                                  {"Bob", "+1", "text, 2 characters", "hi"},
		message(`{"imageMessage":{"fileLength":"48213","caption":"receipt"}}`):                            {"Bob", "+1", "image, 48 kB, with a caption", "receipt"},
		message(`{"audioMessage":{"ptt":true,"fileLength":"10"}}`):                                        {"Bob", "+1", "voice message, 10 B", ""},
		message(`{"ephemeralMessage":{"message":{"viewOnceMessageV2":{"message":{"imageMessage":{}}}}}}`): {"Bob", "+1", "image", ""},
		message(`{"reactionMessage":{"text":""}}`):                                                        {"Bob", "+1", "reaction removed", ""},
		message(`{"protocolMessage":{"type":"REVOKE"}}`):                                                  {"Bob", "+1", "deleted a message", ""},
		message(`{"senderKeyDistributionMessage":{},"extendedTextMessage":{"text":"a"}}`):                 {"Bob", "+1", "text, 1 character", "a"},
		message(`{"conversation":"\u202eevil\u0007\nnext"}`):                                              {"Bob", "+1", "text, 11 characters", "\\u202eevil\\u0007\nnext"},
		message(`{"newThingMessage":{}}`):                                                                 {"Bob", "+1", "newThing", ""},
		`{"data":{}}`:                                                                                     {"", "+1", "", ""}, `{"data":[]}`: {"", "+1", "", ""}, `no JSON`: {"", "+1", "", ""}, `{"data":{"messages":[]}}`: {"", "+1", "", ""}, `{"data":{"messages":[7]}}`: {"", "+1", "no content", ""},
	} {
		if got := Describe(api.Event{Event: "message.received", Chat: "1@s.whatsapp.net", Body: body}, false); got != want {
			t.Errorf("%s\n got %+v\nwant %+v", body, got, want)
		}
	}
	deep := strings.Repeat(`{"ephemeralMessage":{"message":`, 500) + `{}` + strings.Repeat(`}}`, 500)
	if got := Describe(api.Event{Event: "message.received", Body: message(deep)}, false); got.Kind != "message" {
		t.Errorf("messages in messages: %+v", got)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]Address{
		"https://crm.example.com/hooks/wa?token=x": {"https://crm.example.com", "/hooks/", "wa?…", "https://crm.example.com/hooks/wa", true},
		"http://n8n:5678/":                         {"http://n8n:5678", "", "/", "http://n8n:5678/", false},
		"http://[::1]:80/a/b/c":                    {"http://[::1]:80", "/a/b/", "c", "http://[::1]:80/a/b/c", false},
		"nonsense":                                 {"nonsense", "", "", "nonsense", false},
	} {
		if got := AddressOf(raw); got != want {
			t.Errorf("%s: %+v", raw, got)
		}
	}
	names := Names([]api.Webhook{{ID: "a", URL: "https://crm.example.com/x"}, {ID: "b", URL: "http://n8n:5678/webhook/one?t=1"}, {ID: "c", URL: "http://n8n:5678/webhook/two"}})
	if names["a"] != "crm.example.com" || names["b"] != "n8n:5678/…one" || names["c"] != "n8n:5678/…two" {
		t.Errorf("names: %v", names)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 14, 9, 40, 22, 0, time.UTC)
	c := Clock{Now: now, Zone: time.FixedZone("", 3600)}
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s ago", 4 * time.Second: "4 s ago", 26 * time.Minute: "26 min ago", 3*time.Hour + 12*time.Minute: "3 h 12 min ago", 16 * time.Hour: "16 h ago", 11 * 24 * time.Hour: "11 d ago",
	} {
		if got := c.Ago(now.Add(-d)); got.Text != want {
			t.Errorf("%v: %q", d, got.Text)
		}
	}
	if got := c.Ago(now); got.Exact != "14 Mar, 10:40:22" || c.ZoneName() != "UTC+1" {
		t.Errorf("%+v in %s", got, c.ZoneName())
	}
	if got := c.Stamp(now.AddDate(0, 0, -1)); got.Text != "13 Mar 10:40:22" {
		t.Errorf("yesterday is %q", got.Text)
	}
	if got := c.Ago(time.Time{}); got != (Time{}) {
		t.Errorf("no time is %+v", got)
	}
	c.Exact = true
	if got := c.Ago(now.AddDate(-1, 0, 0)); got.Text != "14 Mar 2025, 10:40:22" {
		t.Errorf("exactly: %q", got.Text)
	}
}

// TestPlot: what is drawn stays in its box, and minutes before the start are not drawn as zero.
func TestPlot(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 14, 9, 40, 0, 0, time.UTC)
	minutes, values := make([]time.Time, 60), make([]int64, 60)
	for i := range minutes {
		minutes[i], values[i] = now.Add(time.Duration(i-59)*time.Minute), int64(i)
	}
	c := Clock{Now: now, Zone: time.UTC}
	p := DrawPlot(c, minutes, now.Add(-10*time.Minute), Series{Name: "Delivered", Form: "area", Values: values}, Series{Name: "Failed", Form: "bars", Values: values})
	if p.From != "09:30" || p.Top != "60" || len(p.Hits) != 11 || !strings.HasPrefix(p.Lines[0], "M498.3 18.3L508.5 ") || !strings.HasSuffix(p.Areas[0], "L600 100L498.3 100z") || p.Tens[0].Values[0] != "–" {
		t.Errorf("%+v", p)
	}
	p = DrawPlot(c, minutes, now.Add(time.Second), Series{Name: "Delivered", Form: "area", Values: values})
	if p.Lines[0] != "M589.8 1.7H600" || p.Areas[0] != "M589.8 1.7H600L600 100L589.8 100z" {
		t.Errorf("one minute: %q, %q", p.Lines, p.Areas)
	}
	if p = DrawPlot(c, minutes, time.Time{}, Series{Name: "Nothing", Form: "area", Values: make([]int64, 60)}); p.Top != "2" || p.From != "" {
		t.Errorf("nothing: %+v", p)
	}
}

// TestLevelLines: of minutes that are as their neighbours only the first and the last are named.
func TestLevelLines(t *testing.T) {
	t.Parallel()
	for want, values := range map[string][]int64{
		"M0 100L600 100": make([]int64, 60), "M0 100L400 100L600 0": {0, 0, 0, 2}, "M0 0L150 50L450 50L600 0": {2, 1, 1, 1, 2}, "M0 0L600 0": {2, 2}, "M0 100L300 0L600 100": {0, 2, 0},
	} {
		if got := path(values, 0, 2); got != want {
			t.Errorf("%v: %q", values, got)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"the account +491515550100 is restricted": "the account ••• is restricted", "204813927440123@lid wrote": "••• wrote", "wh_9QRT failed 45 times since 09:14": "wh_9QRT failed 45 times since 09:14",
	} {
		if got := Mask(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// TestPretty: pretty-printed JSON holds the same as before, and text that is no JSON is one piece.
func TestPretty(t *testing.T) {
	t.Parallel()
	body := `{"a":"x\"y: \u003c","b":[1,true,null,{"c":{}}],"d":""}`
	var out strings.Builder
	classes := map[string]string{}
	for _, token := range Pretty(body) {
		out.WriteString(token.Text)
		classes[token.Text] = token.Class
	}
	var was, is any
	if err := json.Unmarshal([]byte(body), &was); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out.String()), &is); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	if a, _ := json.Marshal(was); string(a) != func() string { b, _ := json.Marshal(is); return string(b) }() {
		t.Errorf("%s became %s", body, out.String())
	}
	if classes[`"a"`] != classKey || classes[`"x\"y: \u003c"`] != classString || classes["true"] != classNumber || classes["{}"] != "" {
		t.Errorf("classes: %v", classes)
	}
	if got := Pretty("no \u202e JSON"); len(got) != 1 || got[0].Text != `no \u202e JSON` {
		t.Errorf("%+v", got)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	for sentence, want := range map[string][2]string{
		"It waits. Resume it with: waoutbox webhook resume wh_1":   {"It waits. Resume it with:", "waoutbox webhook resume wh_1"},
		"See: waoutbox status. Then wait":                          {"See: waoutbox status. Then wait", ""},
		"The disk is full":                                         {"The disk is full", ""},
		"A: waoutbox x; again: waoutbox --state-dir /s webhook y.": {"A: waoutbox x; again:", "waoutbox --state-dir /s webhook y"},
	} {
		if text, command := Command(sentence); text != want[0] || command != want[1] {
			t.Errorf("%q: %q, %q", sentence, text, command)
		}
	}
}

// TestQR: a code is drawn inside its box, with a quiet zone.
func TestQR(t *testing.T) {
	t.Parallel()
	code, err := DrawQR("https://wa.me/settings/linked_devices#2@abc")
	if err != nil || code.Box < 25 || !strings.HasPrefix(code.Path, "M4 4h7v1h-7z") {
		t.Errorf("%+v, %v", code, err)
	}
	if _, err := DrawQR(strings.Repeat("x", 5000)); err == nil {
		t.Error("a text that does not fit is drawn")
	}
}
