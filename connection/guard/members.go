package guard

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// members has cli forget who is in a group before the library handles a change of that, so that the
// next message to the group asks for it. The library would change its list in place, while messages
// that are being sent read it.
func members(cli *whatsmeow.Client) (changed func(*waBinary.Node), err error) {
	lock, err := private[sync.Mutex](cli, "groupCacheLock")
	if err != nil {
		return nil, err
	}
	field := reflect.ValueOf(cli).Elem().FieldByName("groupCache")
	if !field.IsValid() || field.Kind() != reflect.Map || field.Type().Key() != reflect.TypeFor[types.JID]() {
		return nil, fmt.Errorf("guard the WhatsApp library: its client has no groupCache by group: it was made for another version")
	}
	groups := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
	return func(n *waBinary.Node) {
		group, is := n.Attrs["from"].(types.JID)
		_, come := n.GetOptionalChildByTag("add")
		_, gone := n.GetOptionalChildByTag("remove")
		if !is || !come && !gone {
			return
		}
		lock.Lock()
		defer lock.Unlock()
		groups.SetMapIndex(reflect.ValueOf(group), reflect.Value{})
	}, nil
}
