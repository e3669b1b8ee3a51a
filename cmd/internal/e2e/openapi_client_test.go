package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
)

// TestGeneratedClient drives the service with a client that a generator made of docs/openapi.json.
// .ci/openapi/run makes it, and says where it is in WAOUTBOX_OPENAPI_CLIENT.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	program := os.Getenv("WAOUTBOX_OPENAPI_CLIENT")
	if program == "" {
		t.Skip("no generated client: .ci/openapi/run makes one and runs this test with it")
	}
	r := newRig(t)
	r.serve("--http", "127.0.0.1:0")
	r.pair()
	bob := r.phone.NewContact("Bob", "15550100123")
	recv, dead := r.receiver(receiver.Options{}), r.receiver(receiver.Options{})
	r.deadLetters(dead, 3, bob)
	picture := someBytes(3 << 20)
	id, _, err := bob.SendMedia(r.within(time.Minute), wasim.Document, picture, wasim.MediaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ev := r.arrived(id)

	cmd := exec.CommandContext(r.within(2*time.Minute), program)
	cmd.Env = append(os.Environ(), "WAOUTBOX_URL="+r.status().Daemon.HTTP.URL, "WAOUTBOX_TOKEN="+r.token(), "WAOUTBOX_HOOK="+recv.URL(),
		"WAOUTBOX_TO=15550100123", "WAOUTBOX_EVENT="+ev.ID)
	cmd.Stderr = os.Stderr
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("the client: %v\n%s", err, raw)
	}
	var did struct {
		Webhook, Secret, MessageID, Media string
		DeadLetters, Queued, Events       int
		Refused                           string
	}
	if err := json.Unmarshal(raw, &did); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	if !strings.HasPrefix(did.Secret, "whsec_") {
		t.Error("no secret came")
	}
	did.Secret = ""
	t.Logf("the client did %+v", did)
	sum := sha256.Sum256(picture)
	if !strings.HasPrefix(did.Webhook, "wh_") || did.DeadLetters != 3 || did.Queued != 3 || did.Events != 4 ||
		did.Media != hex.EncodeToString(sum[:]) || did.Refused != "to" {
		t.Errorf("the client did %+v", did)
	}
	if err := bob.WaitReceived(r.within(time.Minute), 2); err != nil {
		t.Fatal(err)
	}
	if got := bob.Received()[0]; got.ID != did.MessageID {
		t.Errorf("Bob got %s first, the client sent %s", got.ID, did.MessageID)
	}
	if kind, got, err := bob.Open(bob.Received()[1]); err != nil || kind != wasim.Document || string(got) != string(picture) {
		t.Errorf("Bob got a %s of %d bytes, %v", kind, len(got), err)
	}
	r.until("the dead letters are delivered", func() bool { return r.status().Dead == 0 && dead.Counts().Accepted >= 3 })
}
