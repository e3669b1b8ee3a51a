package boltbox

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestFormatIsDescribed: docs/FORMAT.md is about the format that is written, and lists each one
// with its file. Before, it said 5 where 6 was written.
func TestFormatIsDescribed(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	newest := len(Schema().Migrations)
	want := []string{fmt.Sprintf("# Format of the state directory, version %d\n", newest), fmt.Sprintf("| | `format` | u32 big-endian: %d |\n", newest)}
	for n := 1; n <= newest; n++ {
		want = append(want, fmt.Sprintf("`store/storetest/testdata/format-v%d.db` |\n", n))
	}
	for _, bucket := range Schema().Buckets {
		want = append(want, fmt.Sprintf("\n| `%s` | ", bucket))
	}
	for _, text := range want {
		if !strings.Contains(string(doc), text) {
			t.Errorf("docs/FORMAT.md has no %q", text)
		}
	}
}
