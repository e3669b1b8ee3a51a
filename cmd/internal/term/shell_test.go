package term

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"wh_7K2M": "wh_7K2M", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'", "https://x/y?a=b&c": "'https://x/y?a=b&c'",
		"-": "-", "a\nb": "'a\nb'", "ä": "'ä'",
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestCommandFor(t *testing.T) {
	env := func(vars map[string]string) func(string) string { return func(key string) string { return vars[key] } }
	dir, err := filepath.Abs("a b")
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.ReplaceAll(dir, " ", "_")
	for _, tt := range []struct {
		dir  string
		env  map[string]string
		want string
	}{
		{"", nil, "waoutbox status --check"},
		{plain, map[string]string{"WAOUTBOX_STATE_DIR": plain}, "waoutbox status --check"},
		{plain, map[string]string{"WAOUTBOX_STATE_DIR": plain + "/"}, "waoutbox status --check"},
		{plain, nil, "waoutbox --state-dir " + plain + " status --check"},
		{plain, map[string]string{"WAOUTBOX_STATE_DIR": dir}, "waoutbox --state-dir " + plain + " status --check"},
	} {
		if got := CommandFor(env(tt.env), tt.dir, "status", "--check"); got != tt.want {
			t.Errorf("%q with %v: %q, want %q", tt.dir, tt.env, got, tt.want)
		}
	}
	if got := CommandFor(env(nil), dir, "status"); !strings.ContainsAny(got, `'"`) {
		t.Errorf("a path with a space is not quoted: %s", got)
	}
}

func TestCommandKnowsItsOwnEnvironment(t *testing.T) {
	dir := t.TempDir()
	if got, want := Command(dir, "serve"), "waoutbox --state-dir "+QuotePath(dir)+" serve"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	t.Setenv("WAOUTBOX_STATE_DIR", dir)
	if got, want := Command(dir, "serve"), "waoutbox serve"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
