package mcptools

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// everyKind has an argument of each kind a declaration may have.
type everyKind struct {
	S string       `json:"s" doc:"text"`
	B *bool        `json:"b,omitempty"`
	N int          `json:"n,omitempty" range:"1,9"`
	L []string     `json:"l,omitempty"`
	E eventPattern `json:"e,omitempty"`
	O []struct {
		ID  string `json:"id" doc:"of the entry"`
		Own bool   `json:"own,omitempty"`
	} `json:"o,omitempty"`
}

// Whatever a model writes as arguments, the result is values of the declared types or one sentence.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[]`, `{"s":"x","b":true,"n":3,"l":["a"]}`, `{"s":null}`, `{"n":1e99}`, `{"l":[null]}`, `{"x":{}}`, `{"s":"\ud800"}`,
		`{"s":1,"s":"x"}`, `{ "s" : "x" , "l" : [ "a" , "b" ] }`, `{"s":"x","e":"message.sent"}`, `{"s":"x","e":"other"}`, `{"s":"x","e":""}`,
		`{"s":"x","o":[{"id":"1"},{"id":"2","own":true}]}`, `{"s":"x","o":[{}]}`, `{"s":"x","o":[ null , 1]}`, `{"s":"x","o":{"id":"1"}}`, `{"s":"x","o":[{"id":"1","x":1}]}`,
	} {
		f.Add([]byte(seed))
	}
	input := New(optionsFor(nil)).enums().schemaOf(reflect.TypeFor[everyKind](), nil)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var a everyKind
		if bad := input.decode(raw, reflect.ValueOf(&a).Elem()); bad != nil {
			if !strings.HasSuffix(bad.Message, ".") || strings.Contains(bad.Message, "json:") {
				t.Errorf("%q: %s", raw, bad.Message)
			}
			return
		}
		if a.S == "" || a.N < 0 || a.N > 9 {
			t.Errorf("%q passed as %+v", raw, a)
		}
		if a.E != "" && !slices.Contains(input.Properties[4].Enum, string(a.E)) {
			t.Errorf("%q passed with the event %q", raw, a.E)
		}
		for _, o := range a.O {
			if o.ID == "" {
				t.Errorf("%q passed without an id", raw)
			}
		}
	})
}

// The sentence for every mistake an argument of each kind can have.
func TestArgumentSentences(t *testing.T) {
	input := New(optionsFor(nil)).enums().schemaOf(reflect.TypeFor[everyKind](), nil)
	for raw, want := range map[string]string{
		`{"s":"x"}`:                          "",
		` null `:                             `The argument "s" is missing. Pass it: text.`,
		`{"s":"x","e":"","b":null,"n":null}`: "",
		`{"s":"` + strings.Repeat("ü", maxString) + `"}`:   "",
		`{"s":"` + strings.Repeat("ü", maxString+1) + `"}`: `The argument "s" has 4097 characters; at most 4096 are accepted.`,
		`{"s":"x","n":0}`:                      `The argument "n" must be from 1 to 9, not 0.`,
		`{"s":"x","e":"message.sen"}`:          `Unknown event "message.sen". Did you mean "message.sent"? Known: message.received, message.sent, message.update, connection.update, group.update, presence.update, *.`,
		`{"s":"x","l":[1]}`:                    `The argument "l" must hold strings only, each in quotes.`,
		`{"s":"x","o":7}`:                      `The argument "o" must be a list of objects, not the number 7. Write [{…}] for one.`,
		`{"s":"x","o":["1"]}`:                  `The argument "o[0]" must be an object, not a string. It takes: id, own.`,
		`{"s":"x","o":[{"id":"1"},{}]}`:        `The argument "o[1].id" is missing. Pass it: of the entry.`,
		`{"s":"x","o":[{"id":""}]}`:            `The argument "o[0].id" must not be empty. Pass it: of the entry.`,
		`{"s":"x","o":[{"id":"1","own":"y"}]}`: `The argument "o[0].own" must be true or false, without quotes, not a string.`,
		`{"s":"x","o":[{"idd":"1"}]}`:          `Unknown argument "o[0].idd". Did you mean "id"? It takes: id, own.`,
	} {
		var a everyKind
		got := ""
		if bad := input.decode([]byte(raw), reflect.ValueOf(&a).Elem()); bad != nil {
			got = bad.Message
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", raw, got, want)
		}
	}
}
