package sessions

import (
	"bytes"
	"testing"

	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/whatsmeow/store"
)

// serialized is a record of sessions, the present one first, each known by its base key.
func serialized(bases ...byte) []byte {
	s := &record.SessionStructure{}
	for i, base := range bases {
		state := &record.StateStructure{SessionVersion: 3, SenderBaseKey: []byte{base}, RootKey: []byte{base}}
		if i == 0 {
			s.SessionState = state
		} else {
			s.PreviousStates = append(s.PreviousStates, state)
		}
	}
	return store.SignalProtobufSerializer.Session.Serialize(s)
}

// bases are those of a record.
func bases(t *testing.T, session []byte) (out []byte) {
	t.Helper()
	s, err := store.SignalProtobufSerializer.Session.Deserialize(session)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range append([]*record.StateStructure{s.SessionState}, s.PreviousStates...) {
		out = append(out, state.SenderBaseKey...)
	}
	return out
}

// TestWith: what is written keeps its own sessions as they are, and gets those it lacks.
func TestWith(t *testing.T) {
	var many []byte
	for n := range byte(maxEarlier + 1) {
		many = append(many, 10+n)
	}
	for name, tt := range map[string]struct{ mine, theirs, want []byte }{
		"the same":          {[]byte{1, 2}, []byte{1, 2}, []byte{1, 2}},
		"one that came":     {[]byte{1}, []byte{2}, []byte{1, 2}},
		"before an earlier": {[]byte{1, 3}, []byte{2, 1, 3}, []byte{1, 2, 3}},
		"not too many":      {many, []byte{1}, append([]byte{10, 1}, many[1:maxEarlier]...)},
	} {
		if got := bases(t, with(serialized(tt.mine...), serialized(tt.theirs...))); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	mine := serialized(1)
	for _, other := range [][]byte{nil, {0xff}} {
		if got := with(mine, other); !bytes.Equal(got, mine) {
			t.Errorf("beside %x: %x", other, got)
		}
	}
}
