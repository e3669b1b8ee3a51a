package baileystest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/translate"
)

// randomMessages is how many random messages `go test` compares; the environment variable of
// .ci/baileys/run sets the full number.
const (
	randomMessages   = 500
	randomVariable   = "WAOUTBOX_RANDOM_MESSAGES"
	reportedMismatch = 5
)

var (
	me    = translate.Self{PN: user("15550100999", types.DefaultUserServer), LID: user("204813927440999", types.HiddenUserServer)}
	alice = user("204813927440123", types.HiddenUserServer)
	team  = types.NewJID("120363025846172094", types.GroupServer)
)

func user(number, server string) types.JID { return types.NewJID(number, server) }

// question is one message as both sides get it.
type question struct {
	Plain []byte `json:"plain"`
	Key   struct {
		RemoteJID   string `json:"remoteJid"`
		FromMe      bool   `json:"fromMe"`
		ID          string `json:"id"`
		Participant string `json:"participant,omitempty"`
	} `json:"key"`
	Me  string `json:"me"`
	LID string `json:"lid"`

	info types.MessageInfo
	ours []byte // the message of our body, nil when there is none
}

// ask renders a plaintext our way.
func ask(t *testing.T, tr *translate.Translator, id string, group bool, plain []byte) question {
	t.Helper()
	info := types.MessageInfo{ID: id, Timestamp: time.Unix(1735689600, 0), Type: "text", MessageSource: types.MessageSource{
		Chat: alice, Sender: alice, AddressingMode: types.AddressingModeLID,
	}}
	if group {
		info.Chat, info.IsGroup = team, true
	}
	q := question{Plain: plain, Me: me.PN.String(), LID: me.LID.String(), info: info}
	q.Key.RemoteJID, q.Key.ID = info.Chat.String(), id
	if group {
		q.Key.Participant = alice.String()
	}
	m := &waE2E.Message{}
	// A sender may leave out what the schema calls required.
	must(t, proto.UnmarshalOptions{AllowPartial: true}.Unmarshal(plain, m))
	evs, err := tr.Translate(t.Context(), (&events.Message{Info: info, RawMessage: m}).UnwrapRaw())
	must(t, err)
	for _, ev := range evs {
		if ev.Name != translate.MessageReceived {
			continue
		}
		var body struct {
			Data struct {
				Messages []struct {
					Message json.RawMessage
				}
			}
		}
		must(t, json.Unmarshal(ev.Body, &body))
		q.ours = body.Data.Messages[0].Message
	}
	return q
}

// theirs renders the questions the other way, in one process.
func theirs(t *testing.T, node, pkg string, questions []question) [][]byte {
	t.Helper()
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, q := range questions {
		must(t, enc.Encode(q))
	}
	cmd := exec.CommandContext(t.Context(), node, "testdata/render.mjs", pkg, "render")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	must(t, err)
	var answers [][]byte
	scan := bufio.NewScanner(bytes.NewReader(out))
	scan.Buffer(nil, 64<<20)
	for scan.Scan() {
		raw, err := base64.StdEncoding.DecodeString(scan.Text())
		must(t, err)
		answers = append(answers, raw)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d of %d messages rendered", len(answers), len(questions))
	}
	return answers
}

// noAlternates knows nobody's other address.
type noAlternates struct{}

func (noAlternates) AltJID(context.Context, types.JID) types.JID { return types.EmptyJID }

func translator() *translate.Translator {
	return translate.New(func() translate.Self { return me }, noAlternates{}, func() time.Time { return time.Unix(1735689601, 0) })
}

// TestRandomMessagesAreShownAlike: what both sides know of WhatsApp's messages, filled at random,
// is the same JSON byte for byte.
func TestRandomMessagesAreShownAlike(t *testing.T) {
	node, pkg, ok := installed(t)
	if !ok {
		return
	}
	n := randomMessages
	if v := os.Getenv(randomVariable); v != "" {
		var err error
		n, err = strconv.Atoi(v)
		must(t, err)
	}
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	fill := pair(readSchema(t, node, pkg)).filler()
	tr := translator()
	var questions []question
	suppressed := 0
	for len(questions) < n {
		m := &waE2E.Message{}
		fill.Fill(rnd, m.ProtoReflect(), 6)
		if rnd.IntN(2) == 0 {
			asSent(rnd, m.ProtoReflect())
		} else {
			withoutKeys(m)
		}
		plain, err := proto.Marshal(m)
		must(t, err)
		q := ask(t, tr, fmt.Sprintf("3A%06d", len(questions)), rnd.IntN(2) == 0, plain)
		if q.ours == nil {
			suppressed++
			continue
		}
		questions = append(questions, q)
	}
	different := compare(t, questions, theirs(t, node, pkg, questions))
	t.Logf("seed %d: %d messages compared, %d different; %d more say nothing to a receiver", seed, n, different, suppressed)
}

// wrappers are the fields through which the other side looks for what a message is about.
var wrappers = map[protoreflect.Name]bool{
	"ephemeralMessage": true, "viewOnceMessage": true, "documentWithCaptionMessage": true, "viewOnceMessageV2": true,
	"viewOnceMessageV2Extension": true, "editedMessage": true, "associatedChildMessage": true, "groupStatusMessage": true,
	"groupStatusMessageV2": true,
}

// asSent leaves one content in a message, as real ones have, and in those that it wraps.
func asSent(rnd *rand.Rand, m protoreflect.Message) {
	var contents []protoreflect.FieldDescriptor
	m.Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if fd.Name() != "messageContextInfo" {
			contents = append(contents, fd)
		}
		return true
	})
	if len(contents) == 0 {
		return
	}
	keep := contents[rnd.IntN(len(contents))]
	for _, fd := range contents {
		if fd != keep {
			m.Clear(fd)
		}
	}
	if wrapped, ok := m.Get(keep).Interface().(protoreflect.Message); ok {
		if inner, is := wrapped.Interface().(*waE2E.FutureProofMessage); is && inner.Message != nil {
			if wrappers[keep.Name()] {
				asSent(rnd, inner.Message.ProtoReflect())
			} else {
				withoutKeys(inner.Message)
			}
		}
	}
}

// withoutKeys removes, in a message and those it wraps, the keys that are turned to the account's
// perspective: in which of several contents that happens is not the same.
func withoutKeys(m *waE2E.Message) {
	m.ReactionMessage, m.PollUpdateMessage = nil, nil
	m.ProtoReflect().Range(func(_ protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if wrapped, ok := v.Interface().(protoreflect.Message); ok {
			if inner, is := wrapped.Interface().(*waE2E.FutureProofMessage); is && inner.Message != nil {
				withoutKeys(inner.Message)
			}
		}
		return true
	})
}

// compare reports the first messages that are shown differently and returns how many are.
func compare(t *testing.T, questions []question, answers [][]byte) (different int) {
	t.Helper()
	for i, q := range questions {
		if bytes.Equal(q.ours, answers[i]) {
			continue
		}
		if different++; different > reportedMismatch {
			continue
		}
		at := 0
		for at < len(q.ours) && at < len(answers[i]) && q.ours[at] == answers[i][at] {
			at++
		}
		around := func(b []byte) []byte { return b[max(0, at-60):min(len(b), at+60)] }
		t.Errorf("message %d differs from byte %d:\n  ours %q\ntheirs %q\n plain %x", i, at, around(q.ours), around(answers[i]), q.Plain)
	}
	if different > reportedMismatch {
		t.Errorf("%d messages differ in all", different)
	}
	return different
}
