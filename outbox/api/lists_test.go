package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// TestListsAreComplete compares each list with the constants of its type in the source: a constant
// that is left out would make the tools' schemas refuse what the service returns.
func TestListsAreComplete(t *testing.T) {
	for typeName, c := range map[string]struct {
		file string
		list []string
	}{
		"LinkState":          {"status.go", texts(LinkStates())},
		"WebhookStatus":      {"webhook.go", texts(WebhookStatuses())},
		"EventDeliveryState": {"event.go", texts(EventDeliveryStates())},
		"ReplayKind":         {"replay.go", texts(ReplayKinds())},
		"ReplayState":        {"replay.go", texts(ReplayStates())},
	} {
		file, err := parser.ParseFile(token.NewFileSet(), c.file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		var declared []string
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if name, ok := spec.Type.(*ast.Ident); ok && name.Name == typeName {
				for _, v := range spec.Values {
					text, err := strconv.Unquote(v.(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					declared = append(declared, text)
				}
			}
			return true
		})
		if len(declared) < 2 || !slices.Equal(declared, c.list) {
			t.Errorf("%s has the constants %q, its list has %q", typeName, declared, c.list)
		}
	}
}

func texts[S ~string](named []S) []string {
	plain := make([]string, 0, len(named))
	for _, v := range named {
		plain = append(plain, string(v))
	}
	return plain
}
