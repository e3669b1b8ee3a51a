package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

type color string

var sets = Sets{reflect.TypeFor[color](): {Values: []string{"message.received", "message.sent", "*"}, Noun: "event", Code: api.CodeInvalidEvents}}

// everyKind has an argument of each kind a declaration may have.
type everyKind struct {
	S string   `json:"s" doc:"text"`
	B *bool    `json:"b,omitempty"`
	N int      `json:"n,omitempty" range:"1,9"`
	F float64  `json:"f,omitempty" range:"-90,90"`
	L []string `json:"l,omitempty"`
	E color    `json:"e,omitempty"`
	M []color  `json:"m,omitempty"`
	O []entry  `json:"o,omitempty"`
	T *entry   `json:"t,omitempty"`
}

type entry struct {
	ID  string `json:"id" doc:"of the entry"`
	Own bool   `json:"own,omitempty"`
}

// decode reads arguments and shows what became of them, or says what is wrong.
func decode(raw string) (shown, fault string) {
	var a everyKind
	if bad := sets.Of(reflect.TypeFor[everyKind](), nil).Decode([]byte(raw), reflect.ValueOf(&a).Elem()); bad != nil {
		return "", bad.Message
	}
	b, err := json.Marshal(a)
	if err != nil {
		return "", err.Error()
	}
	return string(b), ""
}

// Whatever a model writes as arguments, the result is values of the declared types or one sentence.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[]`, `{"s":"x","b":true,"n":3,"l":["a"]}`, `{"s":null}`, `{"n":1e99}`, `{"l":[null]}`, `{"x":{}}`, `{"s":"\ud800"}`,
		`{"s":1,"s":"x"}`, `{ "s" : "x" , "l" : [ "a" , "b" ] }`, `{"s":"x","e":"message.sent"}`, `{"s":"x","e":"other"}`, `{"s":"x","e":""}`,
		`{"s":"x","o":[{"id":"1"},{"id":"2","own":true}]}`, `{"s":"x","o":[{}]}`, `{"s":"x","o":[ null , 1]}`, `{"s":"x","o":{"id":"1"}}`, `{"s":"x","o":[{"id":"1","x":1}]}`,
		`"{\"s\":\"x\"}"`, `{"s":"x","l":"[\"a\"]","n":"3","b":"True","f":"1.5","o":"[{\"id\":\"1\"}]","t":"{\"id\":1}","m":"*, message.sent"}`, `{"s":"x","l":"[","o":"","t":" "}`,
	} {
		f.Add([]byte(seed))
	}
	input := sets.Of(reflect.TypeFor[everyKind](), nil)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var a everyKind
		if bad := input.Decode(raw, reflect.ValueOf(&a).Elem()); bad != nil {
			if bad.Code == api.CodeInternal || !strings.HasSuffix(bad.Message, ".") || strings.Contains(bad.Message, "json:") {
				t.Errorf("%q: %s %s", raw, bad.Code, bad.Message)
			}
			return
		}
		if a.S == "" || a.N < 0 || a.N > 9 || a.F < -90 || a.F > 90 {
			t.Errorf("%q passed as %+v", raw, a)
		}
		for _, e := range append([]color{a.E}, a.M...) {
			if e != "" && !slices.Contains([]color{"message.received", "message.sent", "*"}, e) {
				t.Errorf("%q passed with the event %q", raw, e)
			}
		}
		for _, o := range a.O {
			if o.ID == "" {
				t.Errorf("%q passed without an id", raw)
			}
		}
	})
}

// What clients that write arguments as text, and models that guess, mean.
//
// Mutation of decode.go: a "false" in quotes is taken for true.
func TestLenient(t *testing.T) {
	for raw, want := range map[string]string{
		`{"s":"x"}`:                             `{"s":"x"}`,
		`"{\"s\":\"x\"}"`:                       `{"s":"x"}`, // the arguments as one string
		`{"s":4915155501}`:                      `{"s":"4915155501"}`,
		`{"s":"x","b":"false"}`:                 `{"s":"x","b":false}`,
		`{"s":"x","b":" True "}`:                `{"s":"x","b":true}`,
		`{"s":"x","n":"3"}`:                     `{"s":"x","n":3}`,
		`{"s":"x","n":3.0}`:                     `{"s":"x","n":3}`,
		`{"s":"x","f":"52.5"}`:                  `{"s":"x","f":52.5}`,
		`{"s":"x","f":-1}`:                      `{"s":"x","f":-1}`,
		`{"s":"x","l":"one"}`:                   `{"s":"x","l":["one"]}`,
		`{"s":"x","l":"one, two,"}`:             `{"s":"x","l":["one","two"]}`,
		`{"s":"x","l":"[\"a\"]"}`:               `{"s":"x","l":["a"]}`,
		`{"s":"x","l":" [\"a\"] "}`:             `{"s":"x","l":["a"]}`,
		`{"s":"x","l":"[]"}`:                    `{"s":"x"}`,
		`{"s":"x","l":4915155501}`:              `{"s":"x","l":["4915155501"]}`,
		`{"s":"x","l":[49151,"2"]}`:             `{"s":"x","l":["49151","2"]}`,
		`{"s":"x","e":" * "}`:                   `{"s":"x","e":"*"}`,
		`{"s":"x","m":"message.sent"}`:          `{"s":"x","m":["message.sent"]}`,
		`{"s":"x","m":"message.sent,*"}`:        `{"s":"x","m":["message.sent","*"]}`,
		`{"s":"x","o":{"id":"1"}}`:              `{"s":"x","o":[{"id":"1"}]}`,
		`{"s":"x","o":"[{\"id\":\"1\"}]"}`:      `{"s":"x","o":[{"id":"1"}]}`,
		`{"s":"x","o":"{\"id\":\"1\"}"}`:        `{"s":"x","o":[{"id":"1"}]}`,
		`{"s":"x","o":["{\"id\":\"1\"}"]}`:      `{"s":"x","o":[{"id":"1"}]}`,
		`{"s":"x","o":[{"id":1,"own":"true"}]}`: `{"s":"x","o":[{"id":"1","own":true}]}`,
		`{"s":"x","t":"{\"id\":\"1\"}"}`:        `{"s":"x","t":{"id":"1"}}`,
		// what is left out: null, and "" where it is no value
		`{"s":"x","b":null,"n":null,"f":null,"l":null,"e":null,"m":null,"o":null,"t":null}`: `{"s":"x"}`,
		`{"s":"x","b":"","n":"","f":"","l":"","e":"","m":"","o":"","t":""}`:                 `{"s":"x"}`,
	} {
		if got, fault := decode(raw); fault != "" || got != want {
			t.Errorf("%s: %s%s, want %s", raw, got, fault, want)
		}
	}
}

// The sentence for every mistake an argument of each kind can have.
func TestSentences(t *testing.T) {
	for raw, want := range map[string]string{
		`""`:     `The argument "s" is missing. Pass it: text.`,
		` null `: `The argument "s" is missing. Pass it: text.`,
		`{"s":"` + strings.Repeat("ü", maxString) + `"}`:   "",
		`{"s":"` + strings.Repeat("ü", maxString+1) + `"}`: `The argument "s" has 4097 characters; at most 4096 are accepted.`,
		`{"s":1.5}`:                            `The argument "s" must be a string in quotes, not the number 1.5.`,
		`{"s":1e3}`:                            `The argument "s" must be a string in quotes, not the number 1e3.`,
		`{"s":true}`:                           `The argument "s" must be a string in quotes, not a boolean.`,
		`{"s":["x"]}`:                          `The argument "s" must be a string in quotes, not a list.`,
		`{"s":""}`:                             `The argument "s" must not be empty. Pass it: text.`,
		`{"s":"x","n":0}`:                      `The argument "n" must be from 1 to 9, not 0.`,
		`{"s":"x","n":"ten"}`:                  `The argument "n" must be a whole number, not "ten".`,
		`{"s":"x","n":1.5}`:                    `The argument "n" must be a whole number, not the number 1.5.`,
		`{"s":"x","n":1e300}`:                  `The argument "n" must be a whole number, not the number 1e300.`,
		`{"s":"x","n":true}`:                   `The argument "n" must be a whole number, not a boolean.`,
		`{"s":"x","f":"NaN"}`:                  `The argument "f" must be a number, not "NaN".`,
		`{"s":"x","f":91}`:                     `The argument "f" must be from -90 to 90, not 91.`,
		`{"s":"x","b":"yes"}`:                  `The argument "b" must be true or false, not "yes".`,
		`{"s":"x","b":1}`:                      `The argument "b" must be true or false, not the number 1.`,
		`{"s":"x","e":"message.sen"}`:          `Unknown event "message.sen". Did you mean "message.sent"? Known: message.received, message.sent, *.`,
		`{"s":"x","m":"message.sen"}`:          `Unknown event "message.sen". Did you mean "message.sent"? Known: message.received, message.sent, *.`,
		`{"s":"x","l":[1.5]}`:                  `The argument "l" must hold strings only, each in quotes.`,
		`{"s":"x","l":[null]}`:                 `The argument "l" must hold strings only, each in quotes.`,
		`{"s":"x","l":"[\"a\""}`:               `The argument "l" must be a list of strings, not a string. Write ["…"] for one.`,
		`{"s":"x","l":{"a":1}}`:                `The argument "l" must be a list of strings, not an object. Write ["…"] for one.`,
		`{"s":"x","l":true}`:                   `The argument "l" must be a list of strings, not a boolean. Write ["…"] for one.`,
		`{"s":"x","o":7}`:                      `The argument "o" must be a list of objects, not the number 7. Write [{…}] for one.`,
		`{"s":"x","o":"one"}`:                  `The argument "o" must be a list of objects, not a string. Write [{…}] for one.`,
		`{"s":"x","o":["1"]}`:                  `The argument "o[0]" must be an object, not a string. It takes: id, own.`,
		`{"s":"x","o":[{"id":"1"},{}]}`:        `The argument "o[1].id" is missing. Pass it: of the entry.`,
		`{"s":"x","o":[{"id":""}]}`:            `The argument "o[0].id" must not be empty. Pass it: of the entry.`,
		`{"s":"x","o":[{"id":"1","own":"y"}]}`: `The argument "o[0].own" must be true or false, not "y".`,
		`{"s":"x","o":[{"idd":"1"}]}`:          `Unknown argument "o[0].idd". Did you mean "id"? It takes: id, own.`,
		`{"s":"x","t":[]}`:                     `The argument "t" must be an object, not a list. It takes: id, own.`,
		`"{"`:                                  `The arguments must be one JSON object, not a string. This tool takes: b, e, f, l, m, n, o, s, t.`,
		`[{"s":"x"}]`:                          `The arguments must be one JSON object, not a list. This tool takes: b, e, f, l, m, n, o, s, t.`,
		`{"s":"x","l":[` + strings.Repeat(`"a",`, maxList) + `"a"]}`: fmt.Sprintf(`The argument "l" has %d entries; at most %d are accepted in one call.`, maxList+1, maxList),
	} {
		if _, fault := decode(raw); fault != want {
			t.Errorf("%s: %s\nwant %s", raw, fault, want)
		}
	}
}
