package translate

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

const document = "../../docs/EVENTS.md"

// TestDocument: the tables in docs/EVENTS.md are those in the code. After a change write them with
// go test ./connection/translate -run TestDocument -update.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	written := text
	for name, table := range map[string]string{"types": typesTable(t), "protocol": protocolTable()} {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		before, rest, ok := strings.Cut(written, begin)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no place for the table of %s", document, name)
		}
		written = before + begin + table + end + after
	}
	switch {
	case written == text:
	case *update:
		if err := os.WriteFile(document, []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s does not have the tables of the code; run: go test ./connection/translate -run TestDocument -update", document)
	}
}

// typesTable has every type that the library dispatches.
func typesTable(t *testing.T) string {
	bodies := make(map[string][]string)
	for _, c := range goldenCases() {
		f := newFixture(WithSecrets(func() Secrets { return votes{} }))
		f.clock.set(created(c.no))
		evs := c.make(t, f)
		if given := *f.given; len(evs) == c.of && len(given) > 0 {
			name := given[len(given)-1].Elem().Name()
			bodies[name] = append(bodies[name], c.body)
		}
	}
	acks := map[AckMode]string{AckByHandler: "once stored", AckAlways: "anyway", AckNever: "never"}
	var b strings.Builder
	b.WriteString("| library type | becomes | example bodies | acknowledged | the link |\n|---|---|---|---|---|\n")
	rows := newFixture().table()
	slices.SortFunc(rows, func(x, y row) int { return strings.Compare(x.typ().Elem().Name(), y.typ().Elem().Name()) })
	for _, r := range rows {
		name := r.typ().Elem().Name()
		slices.Sort(bodies[name])
		names := []string{r.event()}
		var examples []string
		for _, e := range slices.Compact(bodies[name]) {
			event, variant, _ := strings.Cut(e, "-")
			names = append(names, event)
			examples = append(examples, fmt.Sprintf("[%s](../connection/translate/testdata/events/%s.json)", variant, e))
		}
		slices.Sort(names)
		becomes := "`" + strings.Join(slices.Compact(names), "`, `") + "`"
		if r.event() == "" {
			becomes = "internal: " + r.reason()
		}
		ack := acks[r.handling(zero(r)).Ack]
		if r.others() != "" {
			ack += "; " + r.others() + " anyway"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, becomes, strings.Join(examples, ", "), ack, r.linkUse())
	}
	return b.String()
}

// protocolTable has every type of protocol message.
func protocolTable() string {
	var b strings.Builder
	b.WriteString("| type | |\n|---|---|\n")
	for _, typ := range slices.Sorted(maps.Keys(protocolTypes)) {
		why := protocolTypes[typ]
		if why == "" {
			why = "an event"
		} else {
			why = "internal: " + why
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", typ, why)
	}
	return b.String()
}
