package boltbox

import (
	"bytes"
	"maps"
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
	f.Add([]byte("twelve bytes"))
	f.Add(reasonCounts{"500": 7, "timeout": 1 << 40}.encode())
	f.Add([]byte{1, 4, 'w', 'h', '_', 'a', 200, 3, 1, 'b', 0})
	f.Add(append(make([]byte, 2*seenEntrySize), make([]byte, sumSize)...))
	f.Add([]byte{seenHeaderVersion, seenBuilding, 1, 2, 3, 4, 9, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, k []byte) {
		whole := appendSum(bytes.Clone(k)) // so that more than the checksum is looked at
		if b, err := parseSeenBlock(whole); err == nil && !bytes.Equal(b, k) {
			t.Errorf("%x is read as the block %x", k, b)
		}
		if h, err := parseSeenHeader(seqKey(1), whole); err == nil && (h.run.parts == 0 || len(h.run.filters) > seenMaxParts || len(h.inputs)*8 > len(k)) {
			t.Errorf("%x is read as a run of %d parts, made of %d", k, h.run.parts, len(h.inputs))
		}
		if v, err := checkSum(appendSum(bytes.Clone(k), []byte("key")), []byte("key")); err != nil || !bytes.Equal(v, k) {
			t.Errorf("%x and its checksum are read as %x, %v", k, v, err)
		}
		if c, err := decodeReasons("a", appendSum(bytes.Clone(k), []byte("a"))); err == nil {
			again, err := decodeReasons("a", appendSum(c.encode(), []byte("a")))
			if err != nil || !maps.Equal(c, again) {
				t.Errorf("%x is read as %v, and again as %v, %v", k, c, again, err)
			}
		}
		if l, err := decodeLink([]byte("at"), appendSum(bytes.Clone(k), []byte("at"))); err == nil && !bytes.Equal(l.encode([]byte("at")), appendSum(bytes.Clone(k), []byte("at"))) {
			t.Errorf("%x is read as the link %+v", k, l)
		}
		if s, _, ok := parseOldSeen(k); ok && len(k) != 12 {
			t.Errorf("%x is read as an entry of sequence %d", k, s)
		}
		if key, ok := parseAuditKey(k); ok && len(k) != auditKeySize {
			t.Errorf("%x is read as %v", k, key)
		}
		decodeBlock(k, func(id []byte, n uint64) {
			if n > blockSize || len(id) > len(k) {
				t.Errorf("%x: %x is owed %d events of a block", k, id, n)
			}
		})
		if id, s, ok := parseSubKey(k); ok && !bytes.Equal(subKey(id, s), k) {
			t.Errorf("%x is read as %q/%d", k, id, s)
		}
		if b, err := parseSeenBlock(k); err == nil && b.len()*seenEntrySize != len(b) {
			t.Errorf("%x is read as %d entries", k, b.len())
		}
		if h, err := parseSeenHeader(seqKey(1), k); err == nil && h.run.parts == 0 {
			t.Errorf("%x is read as a run without parts", k)
		}
		seenFilter(k[:len(k)/seenLine*seenLine]).mayHold(hashKey("x"))
		if s, ok := parseSeq(k); ok && !bytes.Equal(seqKey(s), k) {
			t.Errorf("%x is read as %d", k, s)
		}
	})
}
