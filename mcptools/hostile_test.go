package mcptools

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
)

// Whatever stands in the arguments of whatever tool, the call returns a result as it declares or a
// sentence, and never fails inside.
func TestNoArgumentsMakeAnInternalError(t *testing.T) {
	o := optionsFor(newFake())
	o.DownloadDir = t.TempDir()
	o.KeepSecret = func(webhook, _ string) (string, error) { return "/state/secrets/" + webhook, nil }
	o.Headers = func(names []string) (map[string]string, error) { return map[string]string{names[0]: "x"}, nil }
	s := New(o)
	check := compileOutputs(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	passed := 0
	for _, tool := range s.tools() {
		for range 300 {
			raw := wildArguments(random, tool)
			result, code := s.invoke(t.Context(), tool, ClientInfo{}, mcp.CallToolParams{Name: tool.name, RawArguments: raw})
			if code == "" {
				passed++
				structured, err := jsonText(result.StructuredContent)
				if err != nil {
					t.Fatal(err)
				}
				check.check(t, tool.name, []byte(structured))
				continue
			}
			text := result.Content[0].(mcp.TextContent).Text
			if code == api.CodeInternal || !result.IsError || !strings.HasPrefix(text, string(code)+": ") || !strings.ContainsAny(text[len(text)-1:], ".!?`") {
				t.Errorf("%s %s: %s", tool.name, raw, text)
			}
		}
	}
	t.Logf("%d calls passed", passed)
	if passed < 500 {
		t.Errorf("only %d calls passed: the arguments are too wild", passed)
	}
}

// listedSchema is the part of a schema as clients see it that says how to fill it in.
type listedSchema struct {
	Type  string
	Enum  []string
	Items *listedSchema
}

// wildArguments are arguments that fit a tool's schema but for a few of them.
func wildArguments(random *rand.Rand, t tool) json.RawMessage {
	if random.IntN(20) == 0 {
		return []byte(wildText(random))
	}
	var s struct {
		Required   []string
		Properties map[string]listedSchema
	}
	if err := json.Unmarshal([]byte(t.input), &s); err != nil {
		panic(err)
	}
	args := map[string]json.RawMessage{}
	for name, p := range s.Properties {
		if !slices.Contains(s.Required, name) && random.IntN(3) > 0 {
			continue
		}
		args[name] = written(random, name, p)
		if random.IntN(8) == 0 {
			args[name] = json.RawMessage(wildText(random))
		}
	}
	b, err := json.Marshal(args)
	if err != nil { // a wild value is no JSON: the client wrote it so
		var parts []string
		for name, v := range args {
			parts = append(parts, fmt.Sprintf("%q:%s", name, v))
		}
		return []byte("{" + strings.Join(parts, ",") + "}")
	}
	if random.IntN(10) == 0 { // all of it as text
		b, _ = json.Marshal(string(b))
	}
	return b
}

// written is a value that the schema allows, in one of the ways in which clients write it.
func written(random *rand.Rand, name string, p listedSchema) json.RawMessage {
	pick := func(of ...string) json.RawMessage { return json.RawMessage(of[random.IntN(len(of))]) }
	switch p.Type {
	case "boolean":
		return pick("true", "false", `"true"`, `"False"`)
	case "integer", "number":
		return pick("1", "20", `"7"`, "100")
	case "array":
		if p.Items.Type == "object" {
			return pick(`[{"remoteJid":"1@g.us","id":"3A"}]`, `{"remoteJid":"1@g.us","id":"3A"}`, `"[{\"remoteJid\":\"1@g.us\",\"id\":3}]"`)
		}
		if len(p.Items.Enum) > 0 {
			v := p.Items.Enum[random.IntN(len(p.Items.Enum))]
			return pick(fmt.Sprintf("[%q]", v), fmt.Sprintf("%q", v), fmt.Sprintf(`"[\"%s\"]"`, v))
		}
		return pick(`["dl_wh_1_1"]`, `"dl_wh_1_1,dl_wh_1_2"`, `"X-Team"`, `["+49 151 5550100"]`, `[]`)
	}
	if len(p.Enum) > 0 {
		return fmt.Appendf(nil, "%q", p.Enum[random.IntN(len(p.Enum))])
	}
	switch name {
	case "url":
		return pick(`"wh_1"`, `"https://a.example/hook"`)
	case "since", "until":
		return pick(`"2026-11-24"`, `"2026-11-24T09:00:00Z"`)
	case "cursor":
		return pick(`"seq_7"`, `"c"`)
	}
	return pick(`"49151"`, "49151", `"hello"`)
}

// wildText is what no schema allows, or only by chance.
func wildText(random *rand.Rand) string {
	of := []string{
		"null", `""`, `" "`, "{}", "[]", "[[]]", "[{}]", "[null]", "-0", "1e400", "-1", "0", "99999999999999999999", "1.5", "true", `"\u0000\ud800"`, `"[1,"`, `"{\"a\":"`,
		`"` + strings.Repeat("x", 5000) + `"`, `{"a":{"a":{"a":1}}}`, "\"\xff\xfe\"", "nope", "", `"` + strings.Repeat(`[`, 2000) + `"`, strings.Repeat("[", 200) + strings.Repeat("]", 200),
		`"$(reboot)"`, `"../../../etc/passwd"`, `"evt_\u202e"`, `{"id":1}`, `["a",1,{"b":2}]`,
	}
	return of[random.IntN(len(of))]
}
