package sessions

import (
	"bytes"
	"testing"

	"go.mau.fi/whatsmeow/store"
)

// tried changes the sessions of a record with those bases, as trying a message in vain does.
func tried(t *testing.T, session []byte, with ...byte) []byte {
	t.Helper()
	s, err := store.SignalProtobufSerializer.Session.Deserialize(session)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range append(s.PreviousStates, s.SessionState) {
		if bytes.Contains(with, state.SenderBaseKey) {
			state.RootKey = []byte("another")
		}
	}
	return store.SignalProtobufSerializer.Session.Serialize(s)
}

// TestRestore: the present session is stored as it is, and the others as they were.
func TestRestore(t *testing.T) {
	var many []byte
	for n := range byte(maxEarlier + 1) {
		many = append(many, 10+n)
	}
	for name, tt := range map[string]struct{ before, after, want []byte }{
		"nothing before":    {nil, serialized(1), serialized(1)},
		"the only one":      {serialized(1), tried(t, serialized(1), 1), tried(t, serialized(1), 1)},
		"the present one":   {serialized(1, 2), tried(t, serialized(1, 2), 1), tried(t, serialized(1, 2), 1)},
		"an earlier one":    {serialized(1, 2, 3), tried(t, serialized(3, 1, 2), 1, 2, 3), tried(t, serialized(3, 1, 2), 3)},
		"left there too":    {serialized(1, 2), tried(t, serialized(2, 1, 2), 1, 2), tried(t, serialized(2, 1), 2)},
		"a new one":         {serialized(1, 2), serialized(3, 1, 2), serialized(3, 1, 2)},
		"not too many":      {serialized(many...), serialized(append([]byte{1}, many...)...), serialized(append([]byte{1}, many[:maxEarlier]...)...)},
		"not to be read":    {[]byte{0xff}, serialized(1, 2), serialized(1, 2)},
		"not to be written": {serialized(1, 2), []byte{0xff}, []byte{0xff}},
	} {
		if got := restore(tt.after, tt.before); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %x, want %x", name, got, tt.want)
		}
	}
}
