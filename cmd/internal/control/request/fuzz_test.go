package request

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"waoutbox/outbox/api"
)

// FuzzDecode: whatever a program sends, it is read whole or refused with a sentence that names the
// field; and what is read is read the same from what is written of it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []struct{ part, query, body string }{
		{"wh_1", "name=x&limit=3&ids=a&ids=b&since=2026-01-02T03:04:05Z", ""},
		{"..", "name=x&name=y", `{"name":"x","nested":{"list":[{"ids":["a"]}]}}`},
		{"%00", "name=%zz", `{"name":"x","headers":{"a":"b","a":"c"}}`},
		{"", "rate=NaN", `{"name":"x","rate":1e999}`},
		{"x", "", `{"name":"x","from":-1}`}, {"x", "unknown=1", `{"nam":1}`},
		{"x", "", `{"name":null}`}, {"x", "", "[]"}, {"x", "", `{"name":"x"} {}`}, {"x", "", "\xff"}, {"x", "", strings.Repeat(`{"nested":`, 50)},
	} {
		f.Add(seed.part, seed.query, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, part, query string, body []byte) {
		for _, pattern := range []string{"GET /v1/{ref}", "DELETE /v1/{ref}", "POST /v1/{ref}"} {
			given := func(string) string { return part }
			checkDecode[everything](t, pattern, given, query, body)
			checkDecode[api.PutWebhook](t, "POST /v1/webhooks", given, query, body)
			checkDecode[api.DeadLetterQuery](t, "GET /v1/deadletters", given, query, body)
			checkDecode[api.StartReplay](t, "POST /v1/replays", given, query, body)
		}
	})
}

func checkDecode[T any](t *testing.T, pattern string, part func(string) string, query string, body []byte) {
	t.Helper()
	var got T
	if e := Decode(pattern, part, query, body, &got); e != nil {
		if e.Code == "" || e.Code == api.CodeInternal || e.Field == "" || !utf8.ValidString(e.Message) || strings.Contains(e.Message, "json:") {
			t.Errorf("%s %q %q: %+v", pattern, query, body, e)
		}
		return
	}
	if _, err := json.Marshal(got); err != nil {
		t.Errorf("%s %q %q is read as what is no JSON: %v", pattern, query, body, err)
	}
	_, target, sent, err := Encode(pattern, got)
	if err != nil {
		return // an empty part of a path
	}
	_, query, _ = strings.Cut(target, "?")
	var again T
	if e := Decode(pattern, part, query, sent, &again); e != nil || !reflect.DeepEqual(normal(t, got), normal(t, again)) {
		t.Errorf("%s %q %q is read as\n%+v and that as\n%+v, %v", pattern, query, body, got, again, e)
	}
}

// normal is a request as JSON: an empty list and none are the same.
func normal(t *testing.T, in any) string {
	t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
