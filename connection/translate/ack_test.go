package translate

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// library is the package that dispatches events.
const library = "go.mau.fi/whatsmeow"

// dispatchers are the functions of the pinned library that give events to the handler, with what
// they do with the verdict. The test of package connection drives a client through those that a
// stanza reaches; the others stand here with their reason.
var dispatchers = map[string]AckMode{
	// a failed handler ends decryptMessages before its receipt
	"handleDecryptedMessage":   AckByHandler,
	"handleDecryptedArmadillo": AckByHandler, // likewise
	"handlePlaintextMessage":   AckByHandler, // channels: maybeDeferredAck takes the verdict
	"handleReceipt":            AckByHandler, // likewise, but see ackedBeside
	"handleGroupedReceipt":     AckByHandler, // likewise, the last part's only: see ackedBeside
	"handleNotification":       AckByHandler, // group changes: likewise

	// the verdict reaches processProtocolParts, whose false ends handleDecryptedMessage as a
	// success
	"handlePlaceholderResendResponse": AckAlways,
	"handleAppStateRecovery":          AckAlways,

	"decryptMessages": AckAlways, // unreadable: acknowledged before
	"handleCallEvent": AckAlways, // maybeDeferredAck without the verdict
	// within handleNotification, without the verdict
	"handlePictureNotification":                AckAlways,
	"handleAccountSyncNotification":            AckAlways,
	"handleBlocklist":                          AckAlways,
	"handlePrivacySettingsNotification":        AckAlways,
	"handleEncryptNotification":                AckAlways,
	"handleNewsletterNotification":             AckAlways,
	"handleMexNotification":                    AckAlways,
	"handleStatusNotification":                 AckAlways,
	"handleMediaRetryNotification":             AckAlways,
	"handlePasskeyNotification":                AckAlways,
	"handlePasskeyContinuationNotification":    AckAlways,
	"tryHandlePasskeyContinuationNotification": AckAlways,
	"rotateADVSecret":                          AckAlways,
	// what asks for it is acknowledged at once
	"FetchAppState":        AckAlways,
	"applyAppStatePatches": AckAlways,
	"sendAppState":         AckAlways,
	// the message that named it is acknowledged at once
	"handleHistorySyncNotificationLoop": AckAlways,

	"handlePresence":         AckNever, // kinds of stanza that are not acknowledged
	"handleChatState":        AckNever,
	"handleIB":               AckNever,
	"handlePairDevice":       AckNever, // iq
	"handlePairSuccess":      AckNever,
	"handleConnectSuccess":   AckNever, // the connection's own
	"handleConnectFailure":   AckNever,
	"handleStreamError":      AckNever,
	"onDisconnect":           AckNever,
	"ConnectContext":         AckNever,
	"keepAliveLoop":          AckNever,
	"updatePushName":         AckNever, // made beside a message
	"updateBusinessName":     AckNever,
	"clearUntrustedIdentity": AckNever,
}

// synced are the types that dispatchAppState makes for the functions that dispatch a list.
var synced = []string{
	"AppState", "Archive", "ClearChat", "Contact", "DeleteChat", "DeleteForMe", "LabelAssociationChat", "LabelAssociationMessage", "LabelEdit",
	"MarkChatAsRead", "Mute", "Pin", "PushNameSetting", "Star", "UnarchiveChatsSetting", "UserStatusMute", "AppStateSyncComplete",
}

// dynamic are the types of the events whose static type says nothing.
var dynamic = map[string][]string{
	"FetchAppState": synced, "handleAppStateRecovery": synced, "sendAppState": synced,
	"handleNotification": {"GroupInfo", "JoinedGroup"},
}

// dispatch is one call that gives an event to the handler.
type dispatch struct {
	function string
	types    []string
	used     bool // the verdict is not thrown away
}

// TestAcknowledgementsFollowTheLibrarysSource: every row's mode is what the functions that dispatch
// its type do with the verdict, and no function is unknown.
//
// Mutation of table.go: which library event is acknowledged how is read off the library itself; a
// row that claims another way.
func TestAcknowledgementsFollowTheLibrarysSource(t *testing.T) {
	modes := make(map[string]AckMode) // of each type: the one that keeps most
	unused := maps.Clone(dispatchers)
	for _, d := range dispatches(t) {
		mode, known := dispatchers[d.function]
		if !known {
			t.Errorf("%s dispatches %v and is not known: look what it does with the handler's verdict", d.function, d.types)
			continue
		}
		delete(unused, d.function)
		if passedOn := d.function == "handlePlaceholderResendResponse" || d.function == "handleAppStateRecovery"; d.used != (mode == AckByHandler || passedOn) {
			t.Errorf("%s dispatches %v, uses the verdict: %v; want %v", d.function, d.types, d.used, !d.used)
		}
		for _, name := range d.types {
			if old, seen := modes[name]; !seen || mode < old {
				modes[name] = mode
			}
		}
	}
	for function := range unused {
		t.Errorf("%s dispatches nothing any more", function)
	}
	for _, r := range newFixture().table() {
		name := r.typ().Elem().Name()
		want, dispatched := modes[name]
		if !dispatched {
			t.Errorf("nothing dispatches events.%s", name)
			continue
		}
		evt := zero(r)
		if got := r.handling(evt).Ack; got != want {
			t.Errorf("events.%s: the table says %d, the library does %d", name, got, want)
		}
		delete(modes, name)
	}
	for name := range modes {
		t.Errorf("events.%s is dispatched and not in the table", name)
	}
}

// dispatches reads the library's source for the calls of dispatchEvent.
func dispatches(t *testing.T) (found []dispatch) {
	t.Helper()
	list := func(args ...string) []string {
		out, err := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...).Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		return strings.Fields(string(out))
	}
	exports := make(map[string]string)
	for _, line := range list("-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", library) {
		path, file, _ := strings.Cut(line, "=")
		exports[path] = file
	}
	source := list("-f", "{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}} {{end}}", library)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range source {
		f, err := parser.ParseFile(fset, filepath.FromSlash(name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Types: make(map[ast.Expr]types.TypeAndValue)}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})}
	if _, err := conf.Check(library, fset, files, info); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := filepath.Base(fset.Position(f.Pos()).Filename); name == "internals.go" {
			continue // hands every method on to tests
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Name.Name != "dispatchEvent" {
				found = append(found, dispatchesIn(t, fn, info)...)
			}
		}
	}
	if len(found) < 50 {
		t.Fatalf("only %d calls of dispatchEvent", len(found))
	}
	return found
}

func dispatchesIn(t *testing.T, fn *ast.FuncDecl, info *types.Info) (found []dispatch) {
	t.Helper()
	discarded := make(map[*ast.CallExpr]bool)
	ast.Inspect(fn, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.ExprStmt:
			if call, ok := s.X.(*ast.CallExpr); ok {
				discarded[call] = true
			}
		case *ast.GoStmt:
			discarded[s.Call] = true
		case *ast.CallExpr:
			sel, ok := s.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "dispatchEvent" {
				return true
			}
			d := dispatch{function: fn.Name.Name, used: !discarded[s]}
			typ := info.TypeOf(s.Args[0])
			if pointer, ok := typ.(*types.Pointer); ok {
				named := pointer.Elem().(*types.Named)
				d.types = []string{named.Obj().Name()}
			} else if d.types = dynamic[fn.Name.Name]; d.types == nil {
				t.Errorf("%s dispatches a %v: say which events that are", fn.Name.Name, typ)
			}
			found = append(found, d)
		}
		return true
	})
	return found
}

// TestUnknownTypeIsHandledSafely: a type that is not in the table is not acknowledged when the
// handler refuses it, and nobody takes it for translated.
func TestUnknownTypeIsHandledSafely(t *testing.T) {
	type newEvent struct{}
	tr := newFixture()
	if h := tr.Handling(&newEvent{}); h != (Handling{Ack: AckByHandler}) {
		t.Errorf("handled as %+v", h)
	}
	if _, err := tr.Translate(t.Context(), &newEvent{}); err == nil {
		t.Error("translated without an error")
	}
	if ev, ok := tr.Placeholder(&newEvent{}); ok {
		t.Errorf("placeholder %s", ev.Body)
	}
}

// TestLinkReactsToWhatTheTableSays compares the types the table tells the link of with the cases of
// the link's and the pairing's onEvent.
func TestLinkReactsToWhatTheTableSays(t *testing.T) {
	var handled []string
	for _, name := range []string{"watch.go", "pairing/run.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if fn, ok := n.(*ast.FuncDecl); ok && fn.Name.Name != "onEvent" {
				return false
			}
			if c, ok := n.(*ast.CaseClause); ok {
				for _, typ := range c.List {
					if star, ok := typ.(*ast.StarExpr); ok {
						handled = append(handled, star.X.(*ast.SelectorExpr).Sel.Name)
					}
				}
			}
			return true
		})
	}
	slices.Sort(handled)
	handled = slices.Compact(handled)
	var told []string
	for _, r := range newFixture().table() {
		if r.handling(zero(r)).Link {
			told = append(told, r.typ().Elem().Name())
		}
	}
	slices.Sort(told)
	if !slices.Equal(told, handled) {
		t.Errorf("the table tells the link of\n%q, it reacts to\n%q", told, handled)
	}
}
