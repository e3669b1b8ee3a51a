package guard

import (
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The library of go.mod has the fields that the guard needs, and another one's absence is told.
func TestFieldsAreFoundByNameAndType(t *testing.T) {
	cli := whatsmeow.NewClient(&store.Device{}, nil)
	hooks := Hooks{Stanza: func(*waBinary.Node) {}, Panic: func(Panic) {}}
	if err := Handlers(cli, hooks); err != nil {
		t.Error(err)
	}
	if err := Frames(cli, hooks); err != nil { // without a connection there is nothing to guard
		t.Error(err)
	}
	other := &struct{ nodeHandlers map[string]func(int) }{}
	if _, err := private[map[string]handler](other, "nodeHandlers"); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("a field of another type: %v", err)
	}
	if _, err := private[string](other, "absent"); err == nil {
		t.Error("a field that is not there was found")
	}
}

// A panic is told with its place, ends nothing, and so does one in what follows it.
func TestRecovered(t *testing.T) {
	var got []Panic
	hooks := Hooks{Panic: func(p Panic) { got = append(got, p) }}
	func() {
		defer recovered(hooks, "iq", &waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"type": "set"}}, func() { panic("again") })
		panic("first")
	}()
	func() { defer recovered(hooks, "frame", nil, nil) }()
	if len(got) != 1 || got[0].Where != "iq of type set" || got[0].Value != "first" || !strings.Contains(got[0].Stack, "TestRecovered") {
		t.Errorf("told %+v", got)
	}
}
