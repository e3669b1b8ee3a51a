package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"waoutbox/dispatcher/receiver"
)

const secret = "whsec_bWtkc2Rqa3Nqa3NkZmtsamRmamtsc2RqLW9mLWUyZQ=="

// failEveryNinth returns 503 to every ninth of n POSTs and 200 to all others, so that some
// deliveries wait for their next attempt while their chat goes on.
func failEveryNinth(n int) receiver.Script {
	s := make(receiver.Script, n)
	for i := range s {
		s[i].Status = http.StatusOK
		if i%9 == 8 && i < n-1 {
			s[i].Status = http.StatusServiceUnavailable
		}
	}
	return s
}

// messageIDs reads the message ids out of a message body.
func messageIDs(t *testing.T, body []byte) []string {
	t.Helper()
	ids, err := readMessageIDs(body)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func readMessageIDs(body []byte) (ids []string, err error) {
	var b struct {
		Data struct {
			Messages []struct {
				Key struct{ ID string }
			}
		}
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, fmt.Errorf("read %s: %w", body, err)
	}
	if len(b.Data.Messages) == 0 {
		return nil, fmt.Errorf("no message in %s", body)
	}
	for _, m := range b.Data.Messages {
		ids = append(ids, m.Key.ID)
	}
	return ids, nil
}
