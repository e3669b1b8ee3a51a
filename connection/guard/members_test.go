package guard

import (
	"reflect"
	"testing"
	"unsafe"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// A change of a group's members finds none in the library's memory, which it would change in place.
// Before, the race detector told of SendMessage, which reads them meanwhile.
//
// Mutation of guard.go: the library changes a group's members while a message is being sent to
// them.
func TestMembersAreForgottenBeforeTheyChange(t *testing.T) {
	cli := whatsmeow.NewClient(&store.Device{}, nil)
	field := reflect.ValueOf(cli).Elem().FieldByName("groupCache")
	groups := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
	team, other := types.NewJID("1", types.GroupServer), types.NewJID("2", types.GroupServer)
	known := 0
	if err := Handlers(cli, Hooks{
		Stanza: func(*waBinary.Node) {}, Panic: func(p Panic) { t.Error(p) },
		Notice: func(*waBinary.Node, func()) { known = groups.Len() },
	}); err != nil {
		t.Fatal(err)
	}
	handlers, err := private[map[string]handler](cli, "nodeHandlers")
	if err != nil {
		t.Fatal(err)
	}
	for change, want := range map[string]int{"add": 1, "remove": 1, "subject": 2} {
		for _, group := range []types.JID{team, other} {
			groups.SetMapIndex(reflect.ValueOf(group), reflect.New(field.Type().Elem().Elem()))
		}
		(*handlers)["notification"](t.Context(), &waBinary.Node{
			Tag: "notification", Attrs: waBinary.Attrs{"type": "w:gp2", "from": team}, Content: []waBinary.Node{{Tag: change}},
		})
		if known != want {
			t.Errorf("%s: %d groups are known when it is handled, want %d", change, known, want)
		}
	}
}
