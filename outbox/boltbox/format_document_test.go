package boltbox

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"waoutbox/outbox"
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

// TestFormatNamesEveryMember: what is stored as JSON has each of its members in docs/FORMAT.md. Two
// of the audit trail's were missing.
func TestFormatNamesEveryMember(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for row, stored := range map[string][]any{
		"config (in a subscription)": {outbox.Webhook{}, outbox.Lease{}},
		"audit record, version 2":    {outbox.AuditEntry{}},
	} {
		_, text, found := strings.Cut(string(doc), "\n| "+row+" | ")
		if !found {
			t.Errorf("docs/FORMAT.md has no row %q", row)
		}
		text, _, _ = strings.Cut(text, "\n")
		for _, v := range stored {
			for i := range reflect.TypeOf(v).NumField() {
				name, _, _ := strings.Cut(reflect.TypeOf(v).Field(i).Tag.Get("json"), ",")
				if name != "" && name != "-" && !strings.Contains(text, "`"+name+"`") {
					t.Errorf("the row %q has no `%s`", row, name)
				}
			}
		}
	}
}
