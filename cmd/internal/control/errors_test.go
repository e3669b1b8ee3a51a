package control

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// A failure that has a code of its own is no fault of the program, which is what 500 tells.
func TestOnlyFaultsAre500(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "..", "outbox", "api", "error.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		v, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "Code") || len(v.Values) != 1 {
			return true
		}
		code, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if got := httpStatus(api.Code(code)); (got == http.StatusInternalServerError) != (api.Code(code) == api.CodeInternal) {
			t.Errorf("%s is %d", code, got)
		}
		return true
	})
	if n < 30 {
		t.Errorf("%d codes were found", n)
	}
	if got := httpStatus(api.CodeHostNotAllowed); got != http.StatusForbidden {
		t.Errorf("a host that is not allowed is %d", got)
	}
}
