package guard

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"strconv"
	"sync"
	"unsafe"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/types/events"
)

// Panic is one that was caught.
type Panic struct {
	Where string // "frame", or the tag and type of the stanza
	Frame bool   // it was dropped before anybody knew what it is
	Value any
	Stack string
}

// Hooks are told what passes. They are called in the library's goroutines and must not block;
// Stanza and Panic may not be nil.
type Hooks struct {
	// Stanza is called before a stanza is handled.
	Stanza func(*waBinary.Node)
	// Panic is called after one was caught. The stanza is refused, or not acknowledged at all.
	Panic func(Panic)
	// Settings is called for a notification of new synced settings, in a goroutine, in place of the
	// library's handler; nil leaves it to that.
	Settings func(context.Context, *waBinary.Node)
	// Notice, when set, runs what handles a notification, acknowledgement included; it returns when
	// that does.
	Notice func(n *waBinary.Node, handle func())
	// Order, when set, has stanzas handled in the order in which it was told that they arrived.
	Order *Order
	// Turn has messages read one after the other; nil does not. All clients of a device share one.
	Turn *Turn
	// Message, when set, makes the context in which the library handles a message.
	Message func(context.Context) context.Context
}

// handler is what the library calls for a stanza.
type handler = func(context.Context, *waBinary.Node)

// Handlers guards what cli does with a stanza. Call it once, before the first connection.
func Handlers(cli *whatsmeow.Client, h Hooks) error {
	field, err := private[map[string]handler](cli, "nodeHandlers")
	if err != nil {
		return err
	}
	//lint:ignore SA1019 what a handler is put around has no other name
	lib := cli.DangerousInternals()
	// these the library starts in goroutines that nothing recovers
	background := map[string]handler{
		"encrypt":                 lib.HandleEncryptNotification,
		"server_sync":             lib.HandleAppStateNotification,
		"account_sync":            lib.HandleAccountSyncNotification,
		"link_code_companion_reg": lib.TryHandleCodePairNotification,
		"crsc_continuation":       lib.TryHandlePasskeyContinuationNotification,
	}
	membersChanged, err := members(cli)
	if err != nil {
		return err
	}
	if h.Settings != nil {
		background["server_sync"] = h.Settings
	}
	guarded := make(map[string]handler, len(*field))
	for tag, next := range *field {
		handle := func(ctx context.Context, n *waBinary.Node) {
			defer recovered(h, tag, n, func() { refuse(ctx, cli, n) })
			if tag == "success" {
				h.Turn.connected()
			}
			if h.Turn != nil && isMessage(tag) {
				if h.Message != nil {
					ctx = h.Message(ctx)
				}
				h.Turn.read(n, func() {
					defer recovered(h, tag, n, func() { refuse(ctx, cli, n) })
					h.Stanza(n)
					next(ctx, n)
				})
				return
			}
			h.Stanza(n)
			kind, _ := n.Attrs["type"].(string)
			if tag == "notification" && kind == "w:gp2" {
				membersChanged(n)
			}
			switch handle := background[kind]; {
			case tag == "failure" && crypticFailure(n) != 0:
				lib.ExpectDisconnect()
				go lib.DispatchEvent(&events.ConnectFailure{Reason: crypticFailure(n), Raw: n})
			case tag == "notification" && handle == nil && h.Notice != nil:
				h.Notice(n, func() { next(ctx, n) })
			case tag == "notification" && handle != nil:
				go func() {
					defer recovered(h, tag, n, nil)
					handle(ctx, n)
				}()
				cancelled := false
				lib.MaybeDeferredAck(ctx, n)(&cancelled)
			default:
				next(ctx, n)
			}
		}
		guarded[tag] = handle
		if h.Order != nil && h.Order.handle(tag) {
			guarded[tag] = func(ctx context.Context, n *waBinary.Node) {
				h.Order.run(n, func() { handle(ctx, n) })
			}
		}
	}
	*field = guarded
	return nil
}

// Frames guards how cli reads the frames of its present connection. Call it after each connect,
// while no frame of the logged-in connection is read yet (package wire holds them back).
func Frames(cli *whatsmeow.Client, h Hooks) error {
	lock, err := private[sync.RWMutex](cli, "socketLock")
	if err != nil {
		return err
	}
	field, err := private[*socket.NoiseSocket](cli, "socket")
	if err != nil {
		return err
	}
	lock.RLock()
	defer lock.RUnlock()
	if *field == nil { // ended already
		return nil
	}
	onFrame, err := private[socket.FrameHandler](*field, "onFrame")
	if err != nil {
		return err
	}
	next := *onFrame
	*onFrame = func(ctx context.Context, data []byte) {
		defer recovered(h, "frame", nil, nil)
		next(ctx, data)
	}
	return nil
}

// crypticFailure returns the reason of a <failure> for which the library calls a function that only
// another network's clients have; 0 for all others.
func crypticFailure(n *waBinary.Node) events.ConnectFailureReason {
	text, _ := n.Attrs["reason"].(string)
	code, _ := strconv.Atoi(text)
	switch reason := events.ConnectFailureReason(code); reason {
	case events.ConnectFailureCATExpired, events.ConnectFailureCATInvalid:
		return reason
	}
	return 0
}

// refuse tells the server that a message cannot be handled: without an acknowledgement it would
// come again with every connection, and end each of them in the same way. Notifications and
// receipts are acknowledged by the library, whatever becomes of them.
func refuse(ctx context.Context, cli *whatsmeow.Client, n *waBinary.Node) {
	if isMessage(n.Tag) || n.Tag == "call" {
		//lint:ignore SA1019 nothing else refuses a stanza
		cli.DangerousInternals().SendAck(ctx, n, whatsmeow.NackUnhandledError)
	}
}

// recovered is deferred around what the library does.
func recovered(h Hooks, where string, n *waBinary.Node, then func()) {
	p := recover()
	if p == nil {
		return
	}
	if kind, _ := nodeType(n); kind != "" {
		where += " of type " + kind
	}
	h.Panic(Panic{Where: where, Frame: n == nil, Value: p, Stack: string(debug.Stack())})
	if then != nil {
		defer func() { recover() }() //nolint:errcheck // told already
		then()
	}
}

func nodeType(n *waBinary.Node) (string, bool) {
	if n == nil {
		return "", false
	}
	kind, ok := n.Attrs["type"].(string)
	return kind, ok
}

// private returns a pointer to a field of *of that only its package may name. T must have the
// field's memory layout: the same underlying type.
func private[T any](of any, name string) (*T, error) {
	v := reflect.ValueOf(of).Elem()
	field := v.FieldByName(name)
	want := reflect.TypeFor[T]()
	if !field.IsValid() || !sameLayout(field.Type(), want) {
		return nil, fmt.Errorf("guard the WhatsApp library: %s has no field %s of type %s: it was made for another version", v.Type(), name, want)
	}
	return (*T)(unsafe.Pointer(field.UnsafeAddr())), nil
}

// sameLayout reports whether a value of one type may be read as the other.
func sameLayout(a, b reflect.Type) bool {
	if a == b {
		return true
	}
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case reflect.Map:
		return a.Key() == b.Key() && sameLayout(a.Elem(), b.Elem())
	case reflect.Func:
		return a.ConvertibleTo(b)
	}
	return false
}
