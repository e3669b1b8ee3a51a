package scheduler

import (
	"bytes"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"waoutbox/outbox"
)

// full is how many unfinished deliveries a lane has at most.
const full = 16_384

// heapInUse is what lives on the heap.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// filled returns what fill keeps in memory, a delivery.
func filled(t *testing.T, fill func() *Scheduler) float64 {
	before := heapInUse()
	s := fill()
	after := heapInUse()
	if s.Unfinished() != full {
		t.Fatalf("%d unfinished", s.Unfinished())
	}
	return float64(max(after, before)-before) / full
}

// TestAWaitingDeliveryIsSmall: ten full lanes are to fit into 64 MiB with everything else. It
// printed, before each was made of 48 bytes and a chat of 16, "read 387, failed 328, loaded 328, of
// one chat 205, unordered 328 bytes a delivery". Of what was read at most 1 MiB of events is held,
// whatever their size.
func TestAWaitingDeliveryIsSmall(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	log := outbox.EncodeLog(outbox.Log{}.Add(outbox.Attempt{N: 1}, "500", bytes.Repeat([]byte("x"), outbox.MaxExcerpt)))
	event := func(i outbox.Seq) outbox.Event {
		return outbox.Event{Seq: i + 1, Key: "evt_0123456789", Name: "message.received", Chat: "chat", Body: make([]byte, 64)}
	}
	read := filled(t, func() *Scheduler {
		s := New(1, now)
		for i := range outbox.Seq(full) {
			s.Add(event(i), uint64(i))
		}
		return s
	})
	failed := filled(t, func() *Scheduler {
		s := New(1, now)
		for i := range outbox.Seq(full) {
			s.Add(event(i), uint64(i))
			d := s.Start(now, 1)
			s.Fail(d, now.Add(time.Hour), bytes.Clone(log))
			c := s.Checkpoint(now, true)
			s.Committed(c, now)
		}
		return s
	})
	load := func(chats uint64, unordered bool) func() *Scheduler {
		return func() *Scheduler {
			s := New(full+1, now)
			s.SetUnordered(unordered)
			for i := range outbox.Seq(full) {
				s.AddStored(outbox.Record{Seq: i + 1, State: outbox.Pending, Attempts: 1, Order: uint64(i) % chats, Log: bytes.Clone(log)}, now)
			}
			return s
		}
	}
	loaded, oneChat, unordered := filled(t, load(full, false)), filled(t, load(1, false)), filled(t, load(1, true))
	if read > 155 || failed > 90 || loaded > 90 || oneChat > 65 || unordered > 72 {
		t.Errorf("read %.0f, failed %.0f, loaded %.0f, of one chat %.0f, unordered %.0f bytes a delivery", read, failed, loaded, oneChat, unordered)
	}
	if size := unsafe.Sizeof(Delivery{}); size > 48 {
		t.Errorf("a delivery is %d bytes", size)
	}
}

// TestWhatWasNeededOnceIsGivenBack: a lane that was full and has worked off everything but a few
// needs no more than those.
func TestWhatWasNeededOnceIsGivenBack(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	before := heapInUse()
	s := New(full+1, now)
	for i := range outbox.Seq(full) {
		s.AddStored(outbox.Record{Seq: i + 1, State: outbox.Pending, Replay: 1, Reason: "503", Order: uint64(i)}, now)
	}
	for !s.Settled() || s.Unfinished() > 0 {
		for range 16 {
			if d := s.Start(now, 16); d != nil {
				s.Deliver(d, now)
			}
		}
		s.Committed(s.Checkpoint(now, true), now)
		if s.Unfinished() == full/2 {
			s.SetUnordered(true)
		}
	}
	if after := heapInUse(); after > before+64<<10 {
		t.Errorf("%d bytes are left", after-before)
	}
	runtime.KeepAlive(s)
}
