package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"waoutbox/outbox"
)

const (
	bodySize = 1024 // bytes of every body
	secret   = "wabench signs with this"
	sentMark = `"sent_ns":`
	// sentDigits holds for every time between 2001 and 2286.
	sentDigits = 19
)

// body makes a request body of bodySize bytes that says when it was handed over: receivers on the
// same machine read their latency from it.
func body(sent time.Time) []byte {
	b := make([]byte, 0, bodySize)
	b = fmt.Appendf(b, `{"event":"message.received","timestamp":%d,"data":{%s%d,"pad":"`, sent.UnixMilli(), sentMark, sent.UnixNano())
	b = append(b, bytes.Repeat([]byte{'x'}, bodySize-len(b)-len(`"}}`))...)
	return append(b, `"}}`...)
}

// sentAt reads back what body wrote.
func sentAt(b []byte) (time.Time, bool) {
	i := bytes.Index(b, []byte(sentMark))
	if i < 0 || len(b) < i+len(sentMark)+sentDigits {
		return time.Time{}, false
	}
	i += len(sentMark)
	ns, err := strconv.ParseInt(string(b[i:i+sentDigits]), 10, 64)
	return time.Unix(0, ns), err == nil
}

// event is the nth event of a run: one of chats chats, never a repeat.
func event(n, chats int) outbox.Event {
	now := time.Now()
	return outbox.Event{
		Key: fmt.Sprintf("evt_%016x%016x", now.UnixNano(), n), Stamp: uint32(now.Unix()), Time: now.Truncate(time.Millisecond),
		Name: "message.received", Chat: fmt.Sprintf("%d@lid", n%chats), Account: "15550000000@s.whatsapp.net", Body: body(now),
	}
}
