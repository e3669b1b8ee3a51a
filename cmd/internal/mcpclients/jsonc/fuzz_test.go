package jsonc

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzSet: of whatever file somebody has, either nothing is changed, or what is set stands there
// and all else says what it said; once more changes nothing.
func FuzzSet(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "{\n  // mine\n  \"a\": 1, /* x */\n}\n", "\xef\xbb\xbf{\"servers\":{}}", `{"servers":{"w":{"command":"old","args":[1,],},},}`, `{"servers":[]}`,
		`{"servers":{"w":1}}`, `{"a":"\ud800"}`, "{\r\n\t\"servers\": {\r\n\t}\r\n}", `{"servers":{},"servers":{"w":{}}}`, "[1]", "nul", `{"a":1e999}`, "/*", "{\"a\":\"//\"}",
	} {
		f.Add([]byte(seed), "w", "/usr/bin/waoutbox")
	}
	f.Fuzz(func(t *testing.T, src []byte, name, command string) {
		kept := bytes.Clone(src)
		members := []Member{{"command", command}, {"args", []string{"mcp"}}}
		out, err := Set(src, members, "servers", name)
		if !bytes.Equal(src, kept) {
			t.Fatalf("%q was changed in place", kept)
		}
		if err != nil {
			return
		}
		got, err := Get(out, "servers", name)
		if err != nil {
			t.Fatalf("%q became %q: %v", src, out, err)
		}
		want, err := json.Marshal(command)
		if err != nil {
			t.Fatal(err)
		}
		var stored string
		if json.Unmarshal(want, &stored) != nil || got["command"] != stored || !reflect.DeepEqual(got["args"], []any{"mcp"}) {
			t.Errorf("%q became %q, which says %v", src, out, got)
		}
		if again, err := Set(out, members, "servers", name); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%q became %q, and once more %q, %v", src, out, again, err)
		}
	})
}
