package request

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// inner is embedded, as the filters are.
type inner struct {
	IDs   []string  `json:"ids,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

// everything has a field of each type that requests have.
type everything struct {
	Ref string `json:"ref"`
	inner
	Name    string            `json:"name"`
	State   api.TypingState   `json:"state,omitempty"`
	Limit   int               `json:"limit,omitempty" range:"-3,256"`
	From    uint64            `json:"from,omitempty"`
	Rate    *float64          `json:"rate,omitempty"`
	All     bool              `json:"all,omitempty"`
	Secret  *string           `json:"secret,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Nested  *nested           `json:"nested,omitempty"`
}

type nested struct {
	List []inner `json:"list"`
}

// decode reads what a client sends.
func decode(t *testing.T, pattern, target string, body []byte, in any) *api.Error {
	t.Helper()
	path, query, _ := strings.Cut(target, "?")
	part := strings.Split(path, "/")[2]
	return Decode(pattern, func(string) string {
		text, err := url.PathUnescape(part)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}, query, body, in)
}

// TestRoundTrip: what a client writes is what a server reads, wherever the fields stand.
func TestRoundTrip(t *testing.T) {
	rate, empty := 0.0, ""
	for _, ref := range []string{"wh_1", "https://a.example/hook?x=1&y=%2F#z", "..", ".", "a b\nc", "ünï%"} {
		want := everything{Ref: ref, Name: "", inner: inner{IDs: []string{"a,b", "&=", ""}, Since: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)},
			State: api.TypingRecording, Limit: -3, From: 1 << 63, Rate: &rate, All: true, Secret: &empty}
		for _, pattern := range []string{"GET /v1/{ref}", "DELETE /v1/{ref}", "POST /v1/{ref}"} {
			if pattern[0] == 'P' {
				want.Headers, want.Nested = map[string]string{"X-A": "b"}, &nested{List: []inner{{}}}
			}
			_, target, body, err := Encode(pattern, want)
			if err != nil {
				t.Fatal(err)
			}
			var got everything
			if e := decode(t, pattern, target, body, &got); e != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s of %q became %q %s, which is\n%+v, %v", pattern, ref, target, body, got, e)
			}
			want.Headers, want.Nested = nil, nil
		}
	}
	if _, _, _, err := Encode("GET /v1/{ref}", everything{}); api.CodeOf(err) != api.CodeInvalidArguments {
		t.Errorf("an empty part of a path: %v", err)
	}
}

// TestRefusals: each names the field, and says what to pass.
//
// Mutation of body.go: a field that is misspelt is passed over.
// Mutation of decode.go: a parameter that is given twice counts once.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ query, field, want string }{
		{"name=x&nme=y", "nme", `there is no parameter "nme". Did you mean name? Known: ids, since, name,`},
		{"", "name", "name is missing: give a string"},
		{"name=x&name=y", "name", "name is given 2 times: give it once"},
		{"name=x&limit=1e3", "limit", `limit is "1e3": give a whole number`},
		{"name=x&limit=99999999999999999999", "limit", "give a whole number"},
		{"name=x&limit=257", "limit", "limit is 257: give a whole number from -3 to 256"},
		{"name=x&from=-1", "from", "give a whole number, 0 or more"},
		{"name=x&rate=NaN", "rate", "give a number"},
		{"name=x&all=yes", "all", "give true or false"},
		{"name=x&all", "all", "give true or false"},
		{"name=x&state=jumping", "state", "give one of composing, recording, paused"},
		{"name=x&since=yesterday", "since", "give a time like 2026-01-31T08:00:00Z"},
		{"name=%ff", "name", "give a string"},
		{"name=%zz", "query", "percent-encode"},
		{"name=x;limit=1", "query", "percent-encode"},
		{"name=x&ref=y", "ref", "there is no parameter"},
		{"name=x&%00=y", "�", "there is no parameter"},
	} {
		var in everything
		if e := decode(t, "GET /v1/{ref}", "/v1/r?"+c.query, nil, &in); e == nil || e.Field != c.field || !strings.Contains(e.Message, c.want) {
			t.Errorf("%s: %+v", c.query, e)
		}
	}
	for _, c := range []struct{ body, field, want string }{
		{`{"name":"x","Limit":1}`, "Limit", `there is no field "Limit". Did you mean limit?`},
		{`{"name":"x","ref":"y"}`, "ref", "there is no field"},
		{`{}`, "name", "name is missing: give a string"},
		{``, "name", "name is missing"},
		{`{"name":"x","name":"y"}`, "name", "name is given twice"},
		{`{"name":null}`, "name", "name is null: give a string, or leave it out"},
		{`{"name":7}`, "name", "name is 7: give a string"},
		{`{"name":"x","limit":1.5}`, "limit", "limit is 1.5: give a whole number"},
		{`{"name":"x","limit":257}`, "limit", "limit is 257: give a whole number from -3 to 256"},
		{`{"name":"x","limit":"1"}`, "limit", "limit is a string: give a whole number"},
		{`{"name":"x","from":-1}`, "from", "give a whole number, 0 or more"},
		{`{"name":"x","rate":1e999}`, "rate", "give a number"},
		{`{"name":"x","all":"true"}`, "all", "give true or false"},
		{`{"name":"x","state":"jumping"}`, "state", `state is "jumping": give one of composing, recording, paused`},
		{`{"name":"x","since":"yesterday"}`, "since", "give a time like"},
		{`{"name":"x","ids":"a"}`, "ids", "ids is a string: give a list"},
		{`{"name":"x","ids":["a",2]}`, "ids[1]", "ids[1] is 2: give a string"},
		{`{"name":"x","headers":{"a":1}}`, "headers.a", "headers.a is 1: give a string"},
		{`{"name":"x","headers":{"a":"1","a":"2"}}`, "headers.a", "given twice"},
		{`{"name":"x","nested":{}}`, "nested.list", "nested.list is missing: give a list"},
		{`{"name":"x","nested":{"list":[{"idz":[]}]}}`, "nested.list[0].idz", "Did you mean ids?"},
		{`{"name":"x"} {}`, "body", "something follows"},
		{`{"name":"x"`, "body", "is no JSON"},
		{`{"name":"x",}`, "body", "is no JSON"},
		{`{"name":"x","ids":["a"`, "body", "is no JSON"},
		{`"name"`, "body", "the body is a string: give one JSON object"},
		{"{\"name\":\"\xff\"}", "body", "UTF-8"},
	} {
		var in everything
		if e := decode(t, "POST /v1/{ref}", "/v1/r", []byte(c.body), &in); e == nil || e.Field != c.field || !strings.Contains(e.Message, c.want) {
			t.Errorf("%s: %+v", c.body, e)
		}
	}
}

// TestFieldsOfEmbedded: an embedded struct whose name is that of one of its fields hides nothing.
func TestFieldsOfEmbedded(t *testing.T) {
	var names []string
	for _, f := range Fields(reflect.TypeFor[api.EventDetail]()) {
		names = append(names, f.Name)
	}
	if want := "id sequence event chat chat_alt time account message bytes body damaged deliveries"; strings.Join(names, " ") != want {
		t.Errorf("%s\nwant %s", names, want)
	}
}

// TestSecretsAreNotQuoted: a string that stands in the wrong place may be one.
//
// Mutation of body.go: a field that stands in the wrong place is quoted, and is a secret.
func TestSecretsAreNotQuoted(t *testing.T) {
	var in everything
	if e := decode(t, "POST /v1/{ref}", "/v1/r", []byte(`{"name":"x","limit":"whsec_1","secret":{"whsec_2":1}}`), &in); e == nil || strings.Contains(e.Message, "whsec") {
		t.Errorf("%+v", e)
	}
}
