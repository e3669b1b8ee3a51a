package connection

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/guard"
)

func TestLibraryLogMasksAboveDebug(t *testing.T) {
	var out bytes.Buffer
	log := newLibraryLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})).With("component", "connection"), false, nil).Sub("Recv").Sub("Queue")
	node := &waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": "3EB0ABCDEF012345", "notify": "Bob Example", "from": "15550100123@s.whatsapp.net"}}
	log.Infof("Successfully paired %s", "15550100999:3@s.whatsapp.net")
	log.Warnf("Node handling took %s for %s", "6s", node)
	log.Errorf("Unknown stanza: %v", *node)
	log.Debugf("whole: %s", node)
	got := out.String()
	for _, secret := range []string{"15550100999", "15550100123", "Bob Example", "whole"} {
		if strings.Contains(got, secret) {
			t.Errorf("the log shows %q:\n%s", secret, got)
		}
	}
	for _, want := range []string{"level=INFO", "level=WARN", "level=ERROR", "message id=3EB0ABCDEF012345", "Recv/Queue", "Successfully paired"} {
		if !strings.Contains(got, want) {
			t.Errorf("the log lacks %q:\n%s", want, got)
		}
	}
	// Each line had component=connection component=whatsmeow: in JSON one of the two is lost.
	if lines, keys := strings.Count(got, "\n"), strings.Count(got, "component="); keys != lines {
		t.Errorf("%d lines have the key component %d times:\n%s", lines, keys, got)
	}
}

// Debug lines held whole stanzas: numbers, names and subjects stood in the log.
//
// Mutation of log.go: debug lines hold whole stanzas.
// Mutation of log.go: an error of the library repeats a stanza in the log.
func TestDebugLinesHoldNoContent(t *testing.T) {
	secrets := []string{"15550100123", "Bob Example", "our secret plans", "15550100999", "bob", "2048"}
	jid := types.NewJID("15550100999", types.DefaultUserServer)
	node := &waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"id": "3EB0ABCDEF01", "type": "w:gp2", "notify": "Bob Example", "from": jid}, Content: []waBinary.Node{
		{Tag: "subject", Attrs: waBinary.Attrs{"subject": "our secret plans", "s_o": "15550100123@s.whatsapp.net"}, Content: []byte("our secret plans")},
	}}
	lines := func(content bool) string {
		var out bytes.Buffer
		log := newLibraryLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), content, nil).Sub("Recv")
		log.Debugf("%s", node)
		log.Debugf("%s", *node)
		log.Debugf("Push name of %s changed from %s to %s, dispatching event", jid, "bob", "Bob Example")
		log.Debugf("Got %d new app state keys %X %+v", 7, "our secret plans", struct{ Name string }{"Bob Example"})
		log.Debugf("Handling %s for %s: %v", "3EB0ABCDEF01", "2048@lid", errors.New("unexpected <user name=\"Bob Example\" jid=\"15550100123\"/>"))
		log.Warnf("Failed to parse %s from %s: %v", node, jid, fmt.Errorf("missing in %s", node))
		return out.String()
	}
	got := lines(false)
	for _, secret := range secrets {
		if strings.Contains(got, secret) {
			t.Errorf("the log shows %q:\n%s", secret, got)
		}
	}
	for _, want := range []string{"<notification id=3EB0ABCDEF01 type=w:gp2><subject>", "Got 7 new app state keys", "Handling 3EB0ABCDEF01", "…@s.whatsapp.net"} {
		if !strings.Contains(got, want) {
			t.Errorf("the log lacks %q:\n%s", want, got)
		}
	}
	if whole := lines(true); !strings.Contains(whole, "our secret plans") {
		t.Errorf("with content asked for there is none:\n%s", whole)
	}
}

// What the library names by its address it goes on writing: a line that printed it read it at the
// same time.
//
// Mutation of log.go: a line reads what the library is writing.
func TestLogsReadNothingThatIsBeingWritten(t *testing.T) {
	type socket struct{ state string }
	for _, content := range []bool{false, true} {
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelWarn} {
			var out bytes.Buffer
			log := newLibraryLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), content, nil)
			write := log.Debugf
			if level == slog.LevelWarn {
				write = log.Warnf
			}
			write("read pump starting %p", &socket{"being written"})
			if got := out.String(); strings.Contains(got, "written") || !strings.Contains(got, "*connection.socket") {
				t.Errorf("content %v, %v: %s", content, level, got)
			}
		}
	}
}

// The log of a panic says where it was, and nothing of what a stanza held.
//
// Mutation of panics.go: the log of a panic quotes what a stanza held.
func TestLogsOfPanicsHoldNoContent(t *testing.T) {
	var out bytes.Buffer
	c := &Client{log: slog.New(slog.NewTextHandler(&out, nil)), alarms: newAlarms(time.Now)}
	value := fmt.Errorf("no session of %s in <message notify=%q>", types.NewJID("15550100123", types.DefaultUserServer), "Bob Example")
	c.libraryPanicked(guard.Panic{Where: "message", Value: value})
	c.panicked("sending", value)
	got := out.String()
	if strings.Contains(got, "15550100123") || strings.Contains(got, "Bob") || strings.Count(got, "panic=*") != 2 {
		t.Errorf("the log is\n%s", got)
	}
}
