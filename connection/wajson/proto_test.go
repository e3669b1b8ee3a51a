package wajson_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	_ "go.mau.fi/whatsmeow/proto/waWeb" // the name table covers it too
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"waoutbox/connection/wajson"
	"waoutbox/connection/wajson/wajsontest"
)

func renderer(t testing.TB, omit ...protoreflect.FullName) *wajson.Renderer {
	t.Helper()
	r, err := wajson.NewRenderer(omit...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMessageRules(t *testing.T) {
	r := renderer(t, "WAWebProtobufsE2E.Message.senderKeyDistributionMessage")
	nan, inf := math.NaN(), math.Inf(-1)
	for name, c := range map[string]struct {
		m    proto.Message
		want string
	}{
		"empty":                 {&waE2E.Message{}, `{}`},
		"set to default":        {&waE2E.Message{Conversation: proto.String("")}, `{"conversation":""}`},
		"renamed fields":        {&waCommon.MessageKey{RemoteJID: proto.String("a@lid"), ID: proto.String("x"), FromMe: proto.Bool(false)}, `{"remoteJid":"a@lid","fromMe":false,"id":"x"}`},
		"64 bit, bytes, 32 bit": {&waE2E.ImageMessage{FileLength: proto.Uint64(math.MaxUint64), Height: proto.Uint32(math.MaxUint32), MediaKey: []byte{0xfb, 0xff, 1}, MediaKeyTimestamp: proto.Int64(-1)}, `{"fileLength":"18446744073709551615","height":4294967295,"mediaKey":"+/8B","mediaKeyTimestamp":"-1"}`},
		"enum":                  {&waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum()}, `{"type":"MESSAGE_EDIT"}`},
		"unknown enum":          {&waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_Type(9999).Enum()}, `{"type":9999}`},
		"renamed enum":          {&waE2E.KeepInChatMessage{KeepType: waE2E.KeepType_UNKNOWN_KEEP_TYPE.Enum()}, `{"keepType":"UNKNOWN"}`},
		"floats":                {&waE2E.LocationMessage{DegreesLatitude: &nan, DegreesLongitude: &inf, SpeedInMps: proto.Float32(1.4)}, `{"degreesLatitude":"NaN","degreesLongitude":"-Infinity","speedInMps":1.399999976158142}`},
		"empty list":            {&waE2E.ContextInfo{MentionedJID: []string{}}, `{}`},
		"list":                  {&waE2E.ContextInfo{MentionedJID: []string{"a", ""}}, `{"mentionedJid":["a",""]}`},
		"invalid UTF-8":         {&waE2E.Message{Conversation: proto.String("a\xff\u2028")}, "{\"conversation\":\"a\uFFFD\u2028\"}"},
		"omitted anywhere": {
			&waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}, EphemeralMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}, Conversation: proto.String("x")}}},
			`{"ephemeralMessage":{"message":{"conversation":"x"}}}`,
		},
	} {
		if got := string(r.Message(c.m)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// Mutation of proto.go: a message is nested as deep as its sender likes, and overflows the stack of
// whoever reads its JSON.
func TestDepthLimit(t *testing.T) {
	// Each round adds two levels: Message and FutureProofMessage.
	nested := func(rounds int) *waE2E.Message {
		m := &waE2E.Message{Conversation: proto.String("bottom")}
		for range rounds {
			m = &waE2E.Message{Conversation: proto.String("x"), EphemeralMessage: &waE2E.FutureProofMessage{Message: m}}
		}
		return m
	}
	r := renderer(t)
	deep := r.Message(nested(4000))
	// 50 messages on levels 1, 3, … 99 with their wrapper on the even level below.
	if n := strings.Count(string(deep), `"conversation":"x"`); n != 50 {
		t.Errorf("%d messages are rendered, want 50", n)
	}
	if want := `"ephemeralMessage":{}` + strings.Repeat("}", 99); !strings.HasSuffix(string(deep), want) {
		t.Errorf("the last level must be an empty wrapper on level 100: …%s", deep[len(deep)-130:])
	}
	if strings.Contains(string(deep), "bottom") || !strings.Contains(string(r.Message(nested(49))), "bottom") {
		t.Error("99 levels must be whole, more must be cut")
	}
	wajsontest.Node(t, [][]byte{deep})
}

// TestEveryReachableMessageHasALayout makes the plan of each message type below
// waE2E.Message: no map, no key used twice, no array-index key.
func TestEveryReachableMessageHasALayout(t *testing.T) {
	r := renderer(t)
	seen := map[protoreflect.FullName]bool{}
	var walk func(md protoreflect.MessageDescriptor)
	walk = func(md protoreflect.MessageDescriptor) {
		if seen[md.FullName()] {
			return
		}
		seen[md.FullName()] = true
		mt, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName())
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.Message(mt.New().Interface())); got != "{}" {
			t.Errorf("an empty %s is %s", md.FullName(), got)
		}
		for i := range md.Fields().Len() {
			if sub := md.Fields().Get(i).Message(); sub != nil {
				walk(sub)
			}
		}
	}
	walk((&waE2E.Message{}).ProtoReflect().Descriptor())
	if len(seen) < 300 {
		t.Errorf("only %d message types are reachable", len(seen))
	}
}

// TestNameTableFitsTheLibrary fails when an update of the library moves or
// renames something the table overrides.
func TestNameTableFitsTheLibrary(t *testing.T) {
	raw, err := os.ReadFile("field-names.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Fields     map[string]map[string]string `json:"fields"`
		EnumValues map[string]map[string]string `json:"enumValues"`
	}
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	for msg, fields := range table.Fields {
		mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(msg))
		if err != nil {
			t.Errorf("%s: %v", msg, err)
			continue
		}
		for name := range fields {
			if mt.Descriptor().Fields().ByJSONName(name) == nil {
				t.Errorf("%s has no field %s", msg, name)
			}
		}
	}
	for enum, values := range table.EnumValues {
		et, err := protoregistry.GlobalTypes.FindEnumByName(protoreflect.FullName(enum))
		if err != nil {
			t.Errorf("%s: %v", enum, err)
			continue
		}
		for name := range values {
			if et.Descriptor().Values().ByName(protoreflect.Name(name)) == nil {
				t.Errorf("%s has no value %s", enum, name)
			}
		}
	}
}

func TestRandomMessagesAgainstNode(t *testing.T) {
	r := renderer(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	docs := make([][]byte, 0, 1000)
	for range 1000 {
		m := &waE2E.Message{}
		wajsontest.Fill(rnd, m.ProtoReflect(), 6)
		b := r.Message(m)
		if err := wajsontest.Canonical(b); err != nil {
			t.Fatal(err)
		}
		docs = append(docs, b)
	}
	wajsontest.Node(t, docs)
}

func TestRendererIsSafeForConcurrentUse(t *testing.T) {
	r := renderer(t)
	m := &waE2E.Message{}
	wajsontest.Fill(rand.New(rand.NewPCG(5, 6)), m.ProtoReflect(), 6)
	want := string(renderer(t).Message(m))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := string(r.Message(m)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	wg.Wait()
}

func FuzzMessage(f *testing.F) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		m := &waE2E.Message{}
		wajsontest.Fill(rnd, m.ProtoReflect(), 4)
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	r := renderer(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &waE2E.Message{}
		if proto.Unmarshal(b, m) != nil {
			return
		}
		if err := wajsontest.Canonical(r.Message(m)); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkMessage(b *testing.B) {
	r := renderer(b)
	m := &waE2E.Message{Conversation: proto.String("Hi! Is the order ready?"), MessageContextInfo: &waE2E.MessageContextInfo{MessageSecret: make([]byte, 32)}}
	b.ReportAllocs()
	for b.Loop() {
		r.Message(m)
	}
}
