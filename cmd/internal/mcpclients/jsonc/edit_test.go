package jsonc

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var entry = []Member{{"command", "/opt/wa <1>/waoutbox"}, {"args", []string{"mcp"}}}

// What is not the member that is set stays as it is, to the byte.
func TestSet(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ in, want string }{
		"an empty file": {"", `{
  "servers": {
    "wa": {
      "command": "/opt/wa <1>/waoutbox",
      "args": [
        "mcp"
      ]
    }
  }
}
`},
		"comments, tabs and a trailing comma": {`// mine
{
	"inputs": [ /* none */ ], // yet
	"servers": {
		// the other one
		"x": { "url": "http://h/" /* , } */ }, // keep
		// "old": {},
	},
}
`, `// mine
{
	"inputs": [ /* none */ ], // yet
	"servers": {
		// the other one
		"x": { "url": "http://h/" /* , } */ }, // keep
		// "old": {},
		"wa": {
			"command": "/opt/wa <1>/waoutbox",
			"args": [
				"mcp"
			]
		}
	},
}
`},
		"a comment behind the last member": {`{
    "a": 1 // one
}`, `{
    "a": 1, // one
    "servers": {
        "wa": {
            "command": "/opt/wa <1>/waoutbox",
            "args": [
                "mcp"
            ]
        }
    }
}`},
		"one line": {`{"a":[1,2],"servers":{"x":{}}}`, `{"a":[1,2],"servers":{"x":{},
    "wa": {
      "command": "/opt/wa <1>/waoutbox",
      "args": [
        "mcp"
      ]
    }
  }}`},
		"an entry that is there": {`{
  "servers": {
    "wa": {
      "args": ["--state-dir", "/x", "mcp"],
      "env": {"A": "b"},
      "command": "/old/waoutbox", // old
      "disabled": false
    }
  }
}`, `{
  "servers": {
    "wa": {
      "args": [
        "mcp"
      ],
      "env": {"A": "b"},
      "command": "/opt/wa <1>/waoutbox", // old
      "disabled": false
    }
  }
}`},
		"one that is right": {
			`{"servers":{"wa":{"args" : [ "mcp" ],"command":"\/opt/wa \u003c1>/waoutbox"}}}`,
			`{"servers":{"wa":{"args" : [ "mcp" ],"command":"\/opt/wa \u003c1>/waoutbox"}}}`,
		},
		"a name twice: the last one counts": {
			`{"servers":{"wa":1},"servers":{"wa":{"command":"x","args":["mcp"]}}}`,
			`{"servers":{"wa":1},"servers":{"wa":{"command":"/opt/wa <1>/waoutbox","args":["mcp"]}}}`,
		},
		"lines of Windows and a byte order mark": {
			"\ufeff{\r\n  \"servers\": {}\r\n}\r\n",
			"\ufeff{\r\n  \"servers\": {\r\n    \"wa\": {\r\n      \"command\": \"/opt/wa <1>/waoutbox\",\r\n      \"args\": [\r\n        \"mcp\"\r\n      ]\r\n    }\r\n  }\r\n}\r\n",
		},
	} {
		out, err := Set([]byte(tt.in), entry, "servers", "wa")
		if err != nil || string(out) != tt.want {
			t.Errorf("%s: %v\ngot\n%s\nwant\n%s", name, err, out, tt.want)
			continue
		}
		again, err := Set(out, entry, "servers", "wa")
		if err != nil || string(again) != string(out) {
			t.Errorf("%s, again: %v\n%s", name, err, again)
		}
	}
}

// A file that is not JSON is refused with the line, and so is one whose names stand for something
// else.
func TestRefuse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"{\n\"a\": }":               "line 2: there is no value",
		"[]":                        "line 1: it is no JSON object",
		"{} x":                      "line 1: something stands behind",
		"{\"a\" 1}":                 "a colon is missing",
		"{\"a\": 1 \"b\": 2}":       "a comma or } is missing",
		"{\"a\": [1 2]}":            "a comma or ] is missing",
		"{a: 1}":                    "a name in double quotes",
		"{\"a\": \"x":               "a string does not end",
		"{\"a\": \"\\x\"}":          "a string cannot be read",
		"{ /* ":                     "a comment does not end",
		"{":                         "a name in double quotes",
		"{\"a\": nul}":              "no value",
		"{\"servers\": []}":         `"servers" is there and no object`,
		"{\"servers\":{\"wa\": 1}}": `"servers.wa" is there and no object`,
		`{"a":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`: "deep",
	} {
		for _, err := range []error{onlyError(Set([]byte(in), entry, "servers", "wa")), onlyError(Get([]byte(in), "servers", "wa"))} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.40s: %v, want %q", in, err, want)
			}
		}
	}
}

func onlyError[T any](_ T, err error) error { return err }

func TestGet(t *testing.T) {
	t.Parallel()
	src := []byte(`{"servers": {"wa": {"command": "x",},}, } // end`)
	if got, err := Get(src, "servers", "wa"); err != nil || got["command"] != "x" {
		t.Errorf("%v, %v", got, err)
	}
	for _, path := range [][]string{{"no"}, {"servers", "no"}, {"no", "wa"}} {
		if got, err := Get(src, path...); got != nil || err != nil {
			t.Errorf("%v: %v, %v", path, got, err)
		}
	}
}

// Any file of any layout keeps what it says: Set compares it itself, so it is enough that it does
// not refuse its own work.
func TestSetKeeps(t *testing.T) {
	t.Parallel()
	space := rapid.SampledFrom([]string{"", " ", "\n", "\n\t", "\r\n  ", " // c }\n", "/* , */", " /*\n*/ "})
	word := rapid.SampledFrom([]string{`"wa"`, `"servers"`, `"a//b"`, `"\"}"`, `"x"`})
	var value func(rt *rapid.T, depth int) string
	value = func(rt *rapid.T, depth int) string {
		sp := func() string { return space.Draw(rt, "space") }
		kind := rapid.IntRange(0, 4).Draw(rt, "kind")
		if depth > 3 && kind < 2 {
			kind = 2
		}
		switch kind {
		case 0, 1:
			n := rapid.IntRange(0, 3).Draw(rt, "members")
			open, end := "{", "}"
			if kind == 1 {
				open, end = "[", "]"
			}
			out := open + sp()
			for i := range n {
				if kind == 0 {
					out += word.Draw(rt, "key") + sp() + ":" + sp()
				}
				out += value(rt, depth+1) + sp()
				if i < n-1 || rapid.Bool().Draw(rt, "comma") {
					out += "," + sp()
				}
			}
			return out + end
		case 2:
			return word.Draw(rt, "text")
		case 3:
			return "-1.5e3"
		default:
			return "null"
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		src := `{` + space.Draw(rt, "space") + `"servers":` + value(rt, 0) + space.Draw(rt, "space") + `,"z":` + value(rt, 0) + `}`
		out, err := Set([]byte(src), entry, "servers", "wa")
		if err != nil {
			if !strings.Contains(err.Error(), "is there and no object") {
				rt.Fatalf("%s: %v", src, err)
			}
			return
		}
		got, err := Get(out, "servers", "wa")
		if err != nil || got["command"] != entry[0].Value {
			rt.Fatalf("%s\n became\n%s: %v, %v", src, out, got, err)
		}
	})
}
