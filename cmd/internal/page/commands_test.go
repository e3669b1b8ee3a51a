package page

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// TestCommandsBreakAtSpaces: on a narrow screen no option of a command is torn after its hyphens,
// in a sentence neither. How that looks .ci/page measures.
func TestCommandsBreakAtSpaces(t *testing.T) {
	t.Parallel()
	f := everything()
	f.status.Alarms[1].Message = "wh_5XWB is paused. With webhook resume --skip-to-now what waits is left out; or: waoutbox webhook resume wh_5XWB --skip-to-now"
	f.trail = nil
	b := open(t, f)
	torn, found := regexp.MustCompile(`>[^<]*(?:^|[\s>])(--?[a-z][^\s<]*)`), 0
	for _, path := range append(everyPath(), "webhooks/wh_5XWB", "webhooks/nothing") {
		resp, err := b.http.Get(b.base + Root + path)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(string(raw), "</head>")
		if path == "deadletters/dl_wh_9QRT_7" { // its request is in lines as it is to be copied
			text, _, _ = strings.Cut(text, "curl -i")
		}
		found += len(wholeWord.FindAllString(text, -1))
		if m := torn.FindStringSubmatch(wholeWord.ReplaceAllString(text, "")); m != nil {
			t.Errorf("%s: %s may be torn", path, m[1])
		}
	}
	if found < 100 {
		t.Errorf("only %d words of commands were found", found)
	}
	f.blind = api.Errorf(api.CodeInternal, "it is closed; see waoutbox --state-dir /x status")
	if _, text := b.get(""); !strings.Contains(text, "see waoutbox --state-dir /x status") {
		t.Error("a sentence is not as it was")
	}
}
