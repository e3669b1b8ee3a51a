package baileystest

import (
	"encoding/json"
	"os/exec"
	"strconv"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"waoutbox/connection/wajson/wajsontest"
)

// schema is what the other implementation knows: types by name, with their fields by number.
type schema struct {
	Root  string                          `json:"root"`
	Types map[string]map[string]fieldKind `json:"types"`
}

type fieldKind struct {
	Type   string                    `json:"type"`   // of a message
	Values []protoreflect.EnumNumber `json:"values"` // of an enum
}

func readSchema(t *testing.T, node, pkg string) schema {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), node, "testdata/render.mjs", pkg, "schema").Output()
	if err != nil {
		t.Fatalf("read what the package knows: %v", err)
	}
	var s schema
	must(t, json.Unmarshal(out, &s))
	return s
}

// hidden are fields whose rendering differs on purpose, or that are never rendered: keys, and
// content that is sealed once more.
var hidden = map[protoreflect.Name]bool{
	"senderKeyDistributionMessage": true, "fastRatchetKeySenderKeyDistributionMessage": true, "groupRootKeyShare": true,
	"rootSecretDistributeMessage": true, "appStateSyncKeyShare": true, "sharedDeviceContactHashKeyShare": true,
	"deviceSentMessage": true,
}

// known pairs our message types with theirs, from the root down.
type known struct {
	schema schema
	theirs map[protoreflect.FullName]string
}

func pair(s schema) known {
	k := known{s, make(map[protoreflect.FullName]string)}
	k.visit((*waE2E.Message)(nil).ProtoReflect().Descriptor(), s.Root)
	return k
}

func (k known) visit(ours protoreflect.MessageDescriptor, theirs string) {
	if _, done := k.theirs[ours.FullName()]; done {
		return
	}
	k.theirs[ours.FullName()] = theirs
	for i := range ours.Fields().Len() {
		fd := ours.Fields().Get(i)
		if f, ok := k.field(fd); ok && fd.Message() != nil && f.Type != "" {
			k.visit(fd.Message(), f.Type)
		}
	}
}

func (k known) field(fd protoreflect.FieldDescriptor) (fieldKind, bool) {
	f, ok := k.schema.Types[k.theirs[fd.ContainingMessage().FullName()]][strconv.Itoa(int(fd.Number()))]
	return f, ok
}

// filler sets what both sides know.
func (k known) filler() wajsontest.Filler {
	values := func(fd protoreflect.FieldDescriptor) (both []protoreflect.EnumNumber) {
		f, _ := k.field(fd)
		for _, n := range f.Values {
			if fd.Enum().Values().ByNumber(n) != nil {
				both = append(both, n)
			}
		}
		return both
	}
	return wajsontest.Filler{
		Field: func(fd protoreflect.FieldDescriptor) bool {
			f, ok := k.field(fd)
			switch {
			case !ok || hidden[fd.Name()], (fd.Message() != nil) != (f.Type != ""):
				return false
			case fd.Enum() != nil:
				return len(values(fd)) > 0
			}
			return f.Values == nil
		},
		Values: values,
	}
}
