package compose

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestFormatNamesEveryMember: docs/FORMAT.md has each member of what is stored of a send. Three
// were missing.
func TestFormatNamesEveryMember(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	_, row, _ := strings.Cut(string(doc), "\n| content (in a send) | ")
	row, _, _ = strings.Cut(row, "\n")
	stored := reflect.TypeFor[storedContent]()
	for i := range stored.NumField() {
		if name, _, _ := strings.Cut(stored.Field(i).Tag.Get("json"), ","); !strings.Contains(row, "`"+name+"`") {
			t.Errorf("the row of a send's content has no `%s`", name)
		}
	}
}
