package connection

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// libraryDir is where the library's source is.
func libraryDir(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.mau.fi/whatsmeow").Output()
	must(t, err)
	return strings.TrimSpace(string(dir))
}

// receivePath are the library's files that what arrives goes through.
var receivePath = []string{
	"client.go", "connectionevents.go", "message.go", "armadillomessage.go", "notification.go", "receipt.go", "retry.go", "presence.go",
	"mediaretry.go", "appstate.go", "appstate/decode.go", "socket/framesocket.go", "socket/noisesocket.go",
}

// warned finds the library's warnings and errors.
var warned = regexp.MustCompile(`[lL]og\.(?:Warnf|Errorf)\(("(?:[^"\\]|\\.)*")`)

// drops are the library's warnings and errors while it receives, by the beginnings of their lines,
// under the row of docs/EVENTS.md that says what becomes of it.
var drops = map[string][]string{
	"A frame whose seal is broken, that cannot be unpacked, or is no stanza": {
		"Failed to decode node in frame", "Failed to decompress frame", "Failed to decrypt frame", "Got unexpected websocket message type",
	},
	"A message that it cannot parse or use": {
		"Failed to parse message", "Error unmarshaling", "Plaintext message from", "Unhandled encrypted message", "Unknown version", "Message decryption for",
		"Failed to decode armadillo message", "Unavailable message", "Ignoring message",
	},
	"A message that it cannot decrypt": {
		"Error decrypting message", "Got %v error while trying to decrypt", "Failed to send request for unavailable message", "Failed to get prekey for retry receipt",
		"Failed to marshal account info", "Failed to send retry receipt", "Not sending any more retry receipts", "Failed to get LID for", "No LID found", "Failed to migrate signal store",
	},
	"An event that the handler refuses, or panics over": {"Handler for", "Event handler panicked"},
	"Keys of a group's sender that it cannot read":      {"Failed to parse sender key", "Failed to process sender key", "Got sender key distribution message in non-group"},
	"The secret that a message's edits, reactions and votes are sealed with, when it cannot be stored": {
		"Failed to store message secret key for", "Failed to parse chat JID",
	},
	"A business's name, a bot's or a channel's marks on a message": {"Failed to parse verified_name", "Failed to parse <"},
	"A copy of a message from the phone that it cannot read": {
		"Failed to unmarshal protobuf web message", "Failed to parse web message info", "Missing response in item",
	},
	"A receipt, or a reader in it, that it cannot parse": {"Failed to parse receipt", "Failed to parse user node", "Unexpected node in grouped receipt"},
	"A recipient's request to send a message again, when that fails": {
		"Failed to handle retry receipt", "Retry receipt handler panicked", "Dropping retry request", "Failed to create sender key distribution message to include",
	},
	"A change of a group that it cannot parse": {"Failed to parse group notification"},
	"An acknowledgement or a receipt of ours that cannot be sent": {
		"Failed to send acknowledgement", "Failed to send receipt",
	},
	"A change of the synced settings that it cannot fetch, open or store": {
		"Failed to sync app state", "Failed to do initial fetch of app state", "Warnings while updating hash", "Failed to store app state sync key", "Failed to marshal fingerprint",
		"Failed to send app state key request",
	},
	"A copy of all synced settings from the phone": {
		"Failed to collect app state events", "Failed to get current app state", "Failed to parse app state recovery", "No app state recovery data", "Unexpected number of app state recovery",
	},
	"A restriction of the account, or a channel's membership, that is no JSON": {"Failed to unmarshal JSON in mex event"},
	"A channel's counters":                              {"Failed to unmarshal newsletter message"},
	"Presence and typing that it cannot read":           {"Error parsing presence", "Failed to parse chat state", "Unrecognized chat presence"},
	"The answer of the phone to a request for a medium": {"Failed to parse media retry"},
	"History from before linking":                       {"Failed to delete history sync", "Failed to download history sync", "History sync handler", "New history sync", "Failed to store NCT salt from", "Failed to store message secret keys in", "Failed to store privacy tokens in"},
	"Names, numbers, devices, tokens and settings of its own store": {
		"Failed to store LID", "Failed to store redacted", "Failed to save", "Failed to update", "Failed to delete all", "privacy_token", "Unexpected data in blocklist", "Unexpected own device",
		"Set status notification", "%s's device list", "Didn't get number of OTKs", "Failed to get number of prekeys", "Stored LID doesn't",
	},
	"The end of a connection, and a login that is refused": {
		"Client outdated", "Failed to delete store", "Failed to reconnect after 515", "Failed to refresh CAT", "Failed to send post-connect", "Got %d/%s connect failure", "Got 503", "Received connect success without",
		"Temporary ban", "Unknown connect failure", "Unknown stream error", "Received stream end", "Error reading from websocket", "Error sending close", "Error reconnecting", "Initial connection failed",
		"Handler queue wait", "Closing handler queue",
	},
	"More than 2,048 stanzas that wait to be handled":          {"Handler queue is full"},
	"A stanza that is being handled for longer than 5 minutes": {"Continuing handling", "Node handling"},
	"A frame in two websocket messages":                        {"Received partial header"},
}

// TestWhatTheLibraryDrops: each of the library's warnings and errors on the way of what arrives has
// its row in docs/EVENTS.md, so that an update of the library cannot drop something unnoticed.
func TestWhatTheLibraryDrops(t *testing.T) {
	document, err := os.ReadFile("../docs/EVENTS.md")
	must(t, err)
	used := make(map[string]bool)
	rowOf := func(line string) (rows []string) {
		for row, beginnings := range drops {
			for _, b := range beginnings {
				if strings.HasPrefix(line, b) {
					used[b] = true
					rows = append(rows, row)
				}
			}
		}
		return slices.Compact(rows)
	}
	dir := libraryDir(t)
	for _, name := range receivePath {
		source, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		for _, m := range warned.FindAllSubmatch(source, -1) {
			line, err := strconv.Unquote(string(m[1]))
			must(t, err)
			if rows := rowOf(line); len(rows) != 1 {
				t.Errorf("%s: %q belongs to the rows %q, want one", name, line, rows)
			}
		}
	}
	for row, beginnings := range drops {
		if !strings.Contains(string(document), "\n| "+row+" | ") {
			t.Errorf("docs/EVENTS.md has no row %q", row)
		}
		for _, b := range beginnings {
			if !used[b] {
				t.Errorf("the library has no line %q any more", b)
			}
		}
	}
}
