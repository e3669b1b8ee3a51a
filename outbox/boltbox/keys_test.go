package boltbox

import (
	"bytes"
	"strings"
	"testing"

	"waoutbox/outbox"
)

// FuzzKeys: keys are read back, and their byte order is the order of subscription and sequence.
func FuzzKeys(f *testing.F) {
	f.Add("wh_a", uint64(1), "wh_ab", uint64(1))
	f.Add("wh_a", uint64(1), "wh_a", uint64(256))
	f.Add("a", uint64(0), "a\x01", uint64(1<<64-1))
	f.Fuzz(func(t *testing.T, id1 string, s1 uint64, id2 string, s2 uint64) {
		if id1 == "" || id2 == "" || strings.ContainsRune(id1+id2, 0) {
			return // no subscription has such an id
		}
		k1, k2 := subKey(outbox.SubID(id1), outbox.Seq(s1)), subKey(outbox.SubID(id2), outbox.Seq(s2))
		if id, s, ok := parseSubKey(k1); !ok || string(id) != id1 || uint64(s) != s1 {
			t.Errorf("key of %q/%d is read as %q/%d, %v", id1, s1, id, s, ok)
		}
		if s, ok := parseSeq(seqKey(outbox.Seq(s1))); !ok || uint64(s) != s1 {
			t.Errorf("key of %d is read as %d, %v", s1, s, ok)
		}
		want := strings.Compare(id1, id2)
		if want == 0 {
			want = bytes.Compare(seqKey(outbox.Seq(s1)), seqKey(outbox.Seq(s2)))
			if (want < 0) != (s1 < s2) {
				t.Errorf("keys of %d and %d compare as %d", s1, s2, want)
			}
		}
		if got := bytes.Compare(k1, k2); got != want {
			t.Errorf("keys of %q/%d and %q/%d compare as %d, want %d", id1, s1, id2, s2, got, want)
		}
		if bytes.HasPrefix(k1, subPrefix(outbox.SubID(id2))) != (id1 == id2) {
			t.Errorf("the prefix of %q fits a key of %q", id2, id1)
		}
	})
}

// FuzzParse: no bytes make the parsers panic, and what they accept is what the makers make.
func FuzzParse(f *testing.F) {
	f.Add(subKey("wh_a", 7))
	f.Add(seqKey(7))
	f.Add(seenValue(7, 9))
	f.Fuzz(func(t *testing.T, k []byte) {
		if id, s, ok := parseSubKey(k); ok && !bytes.Equal(subKey(id, s), k) {
			t.Errorf("%x is read as %q/%d", k, id, s)
		}
		if s, at, ok := parseSeen(k); ok && !bytes.Equal(seenValue(s, at), k) {
			t.Errorf("%x is read as %d at %d", k, s, at)
		}
		if s, ok := parseSeq(k); ok && !bytes.Equal(seqKey(s), k) {
			t.Errorf("%x is read as %d", k, s)
		}
	})
}
