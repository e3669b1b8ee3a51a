package connection

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
)

func TestLibraryLogMasksAboveDebug(t *testing.T) {
	var out bytes.Buffer
	log := newLibraryLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})).With("component", "connection"), nil).Sub("Recv").Sub("Queue")
	node := &waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": "3EB0A", "notify": "Bob Example", "from": "15550100123@s.whatsapp.net"}}
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
	for _, want := range []string{"level=INFO", "level=WARN", "level=ERROR", "message id=3EB0A", "Recv/Queue", "Successfully paired"} {
		if !strings.Contains(got, want) {
			t.Errorf("the log lacks %q:\n%s", want, got)
		}
	}
	// Each line had component=connection component=whatsmeow: in JSON one of the two is lost.
	if lines, keys := strings.Count(got, "\n"), strings.Count(got, "component="); keys != lines {
		t.Errorf("%d lines have the key component %d times:\n%s", lines, keys, got)
	}
}
