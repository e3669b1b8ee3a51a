package control

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"waoutbox/cmd/internal/control/request"
	"waoutbox/outbox/api"
)

// comments are what the sources say of types and their fields.
type comments struct {
	types  map[string]string // type → its doc comment
	fields map[string]string // type.Field → its comment
	consts map[string]string // name → its value, as text
	codes  []string          // of errors
	names  map[string]string // field → its name in JSON, whatever type it is of
}

// readComments reads the sources of packages.
func readComments(t *testing.T, patterns ...string) comments {
	t.Helper()
	c := comments{types: map[string]string{}, fields: map[string]string{}, consts: map[string]string{}, names: map[string]string{}}
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			c.read(file)
		}
	}
	return c
}

func (c *comments) read(file *ast.File) {
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range decl.Specs {
			switch spec := s.(type) {
			case *ast.TypeSpec:
				doc := spec.Doc
				if doc == nil {
					doc = decl.Doc
				}
				c.types[spec.Name.Name] = doc.Text()
				if body, ok := spec.Type.(*ast.StructType); ok {
					c.readFields(spec.Name.Name, body)
				}
			case *ast.ValueSpec:
				for i, v := range spec.Values {
					if lit, ok := v.(*ast.BasicLit); ok {
						value := lit.Value
						if text, err := strconv.Unquote(value); err == nil {
							value = strconv.Quote(text)
						}
						c.consts[spec.Names[i].Name] = value
						if isCode(spec.Type) {
							c.codes = append(c.codes, value)
						}
					}
				}
			}
		}
	}
}

func isCode(e ast.Expr) bool {
	if from, ok := e.(*ast.SelectorExpr); ok {
		e = from.Sel
	}
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "Code"
}

func (c *comments) readFields(typeName string, body *ast.StructType) {
	for _, f := range body.Fields.List {
		text := strings.TrimSpace(f.Doc.Text() + " " + f.Comment.Text())
		for _, name := range f.Names {
			c.fields[typeName+"."+name.Name] = text
			if f.Tag == nil || strings.Count(strings.Map(onlyUpper, name.Name), "U") < 2 {
				continue // may be a word of any sentence
			}
			if tag, err := strconv.Unquote(f.Tag.Value); err == nil {
				c.names[name.Name], _, _ = strings.Cut(reflect.StructTag(tag).Get("json"), ",")
			}
		}
	}
}

func onlyUpper(r rune) rune {
	if unicode.IsUpper(r) {
		return 'U'
	}
	return 'l'
}

// ofType returns the description of a struct for people who do not read Go.
func (c comments) ofType(t reflect.Type) string {
	text := c.plain(c.types[t.Name()], t)
	// "Webhook is one line of …" says no more than "One line of …"
	for _, begin := range []string{t.Name() + " is ", t.Name() + " "} {
		if rest, ok := strings.CutPrefix(text, begin); ok {
			return sentence(rest)
		}
	}
	return sentence(text)
}

// ofField returns the description of a field, "" where its name says all.
func (c comments) ofField(f request.Field, in reflect.Type) string {
	text := c.plain(c.fields[f.Owner.Name()+"."+f.GoName], in)
	if f.Type == reflect.TypeFor[api.Code]() {
		return "Stable; there may be more than " + strings.ReplaceAll(strings.Join(slices.Sorted(slices.Values(c.codes)), ", "), `"`, "`") + "."
	}
	if text == "" {
		return ""
	}
	return sentence(text)
}

// goWord is a word of a comment that may be a name of Go.
var goWord = regexp.MustCompile(`[A-Za-z_][\w-]*`)

// plain replaces names of fields by those in JSON, constants by their values, and nil.
func (c comments) plain(text string, t reflect.Type) string {
	names := map[string]string{}
	if t.Kind() == reflect.Struct {
		for _, f := range request.Fields(t) {
			names[f.GoName] = "`" + f.Name + "`"
		}
	}
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "A nil ", "An absent ")
	first := true
	return goWord.ReplaceAllStringFunc(text, func(word string) string {
		begins := first
		first = false
		switch {
		case !ast.IsExported(word) && word != "nil", strings.ToUpper(word) == word:
			return word
		case begins && word != "nil":
			if value := c.consts[word]; value != "" && t.Name() != word {
				return value
			}
			return word // of a type's comment its name
		case word == "nil":
			return "absent"
		case c.consts[word] != "":
			return c.consts[word]
		case names[word] != "":
			return names[word]
		case c.names[word] != "":
			return "`" + c.names[word] + "`"
		}
		return word
	})
}

// sentence begins with a capital and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	r := []rune(text)
	if first, _, _ := strings.Cut(text, " "); len(r) > 1 && !unicode.IsUpper(r[1]) && !strings.Contains(first, "_") {
		r[0] = unicode.ToUpper(r[0])
	}
	text = string(r)
	if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "…") {
		text += "."
	}
	return text
}
