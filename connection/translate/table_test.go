package translate

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types/events"
)

// neverDispatched are struct types of the library's package that are parts of
// others and never events by themselves.
var neverDispatched = []string{"BlocklistChange", "MediaRetryError", "MexNotificationData", "NewsletterMessageMeta"}

// eventTypes lists the struct types in the source of the library's event package.
func eventTypes(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "go.mau.fi/whatsmeow/types/events").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no source in %s: %v", out, err)
	}
	var names []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range gen.Specs {
				if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() {
					if _, isStruct := ts.Type.(*ast.StructType); isStruct {
						names = append(names, ts.Name.Name)
					}
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

// TestEveryLibraryTypeIsInTheTable fails when an update of the library brings
// an event nobody has decided about.
func TestEveryLibraryTypeIsInTheTable(t *testing.T) {
	listed := slices.Clone(neverDispatched)
	for _, r := range newFixture().table() {
		if (r.event() == "") == (r.reason() == "") {
			t.Errorf("%v has the event %q and the reason %q: it needs one of them", r.typ(), r.event(), r.reason())
		}
		listed = append(listed, r.typ().Elem().Name())
	}
	slices.Sort(listed)
	source := eventTypes(t)
	if len(source) != 75 {
		t.Errorf("the library has %d types, 75 were decided about", len(source))
	}
	for _, name := range source {
		if !slices.Contains(listed, name) {
			t.Errorf("events.%s is in no list: translate it or make it internal with a reason", name)
		}
	}
	for i, name := range listed {
		if !slices.Contains(source, name) {
			t.Errorf("events.%s is listed and does not exist", name)
		}
		if i > 0 && listed[i-1] == name {
			t.Errorf("events.%s is listed twice", name)
		}
	}
}

// TestZeroEventsOfEveryType: an event with nothing in it never fails.
func TestZeroEventsOfEveryType(t *testing.T) {
	for _, r := range newFixture().table() {
		f := newFixture()
		evs := f.must(t, zero(r))
		if r.reason() != "" && len(evs) > 0 {
			t.Errorf("%v is internal and gave %d events", r.typ(), len(evs))
		}
	}
}

func TestUnknownTypeIsAnError(t *testing.T) {
	for _, evt := range []any{struct{}{}, nil, events.Connected{}, 5} {
		if evs, err := newFixture().Translate(t.Context(), evt); err == nil || evs != nil {
			t.Errorf("%T: %v, %v", evt, evs, err)
		}
	}
}

func TestPanicIsAnError(t *testing.T) {
	f := newFixture()
	f.Translator.now = nil
	if evs, err := f.Translate(t.Context(), &events.Connected{}); err == nil || evs != nil || !strings.Contains(err.Error(), "panic") {
		t.Errorf("%v, %v", evs, err)
	}
}

func TestCatalog(t *testing.T) {
	want := []string{"message.received", "message.sent", "message.update", "connection.update", "group.update", "presence.update"}
	var names []string
	for _, e := range Catalog() {
		names = append(names, e.Name)
		if e.Description == "" || e.Trigger == "" {
			t.Errorf("%s is not described", e.Name)
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("names %v, want %v", names, want)
	}
	for _, c := range goldenCases() {
		if name, _, _ := strings.Cut(c.body, "-"); !slices.Contains(names, name) {
			t.Errorf("the golden body %s is of no event in the catalogue", c.body)
		}
	}
	Catalog()[0].Name = "changed"
	if Catalog()[0].Name != want[0] {
		t.Error("the catalogue can be changed from outside")
	}
}

// zero is an event of the row's type with nothing in it.
func zero(r row) any { return reflect.New(r.typ().Elem()).Interface() }
