package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// fieldless are the invalid_arguments that concern no field of a request, by their first words.
var fieldless = []string{
	"the request did not arrive whole", // it was not read
	"the request cannot be written",    // nor were these three sent
	"the request is larger",
	"the request is longer",
	"The arguments must be one JSON object",
	"the service is installed and was started", // of flags of a command
	"only the user, at the command line,",      // whoever asks: the request has no field
}

// TestInvalidArgumentsNameTheField: whoever sends something wrong is told which field it is, so
// every place that refuses arguments says it: the service with In, a tool in its sentence. Codes of
// their own, such as invalid_url, are of one field, which the socket adds.
func TestInvalidArgumentsNameTheField(t *testing.T) {
	t.Parallel()
	places := 0
	for _, name := range repositoryFiles(t, ".go") {
		service := slices.ContainsFunc(sentencesOf, func(dir string) bool { return strings.HasPrefix(name, dir+"/") })
		if !service && !strings.HasPrefix(name, "mcptools/") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(repository, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		named := map[*ast.CallExpr]bool{} // calls whose result has In called on it
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if in, ok := call.Fun.(*ast.SelectorExpr); ok && in.Sel.Name == "In" {
					if made, ok := in.X.(*ast.CallExpr); ok {
						named[made] = true
					}
				}
			}
			return true
		})
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			text, refuses := invalidArguments(call)
			if !refuses {
				return true
			}
			places++
			says := named[call]
			if !service { // arguments are quoted
				says = strings.Contains(text, `"`) || strings.Contains(text, "%q")
			}
			if !says && !slices.ContainsFunc(fieldless, func(first string) bool { return strings.HasPrefix(text, first) }) {
				t.Errorf("%s: %q names no field", fset.Position(call.Pos()), text)
			}
			return true
		})
	}
	if places < 60 {
		t.Errorf("only %d places were found", places)
	}
}

// invalidArguments reports whether a call makes an error of that code, and its sentence.
func invalidArguments(call *ast.CallExpr) (text string, ok bool) {
	args := call.Args
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		if f.Sel.Name != "Errorf" && f.Sel.Name != "Retryf" || len(args) < 2 {
			return "", false
		}
		code, is := args[0].(*ast.SelectorExpr)
		if !is || code.Sel.Name != "CodeInvalidArguments" {
			return "", false
		}
		args = args[1:]
	case *ast.Ident:
		if f.Name != "badArgument" || len(args) == 0 {
			return "", false
		}
	default:
		return "", false
	}
	ast.Inspect(args[0], func(n ast.Node) bool {
		if lit, is := n.(*ast.BasicLit); is && lit.Kind == token.STRING {
			part, err := strconv.Unquote(lit.Value)
			text, ok = text+part, ok || err == nil
		}
		return true
	})
	return text, ok
}
