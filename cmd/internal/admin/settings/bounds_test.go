package settings

import (
	"fmt"
	"testing"

	"waoutbox/outbox/api"
)

// A filter names so many chats and no more: every change of its webhook writes them all.
//
// Mutation of filter.go: a filter names any number of chats.
func TestAFilterNamesAHundredChats(t *testing.T) {
	for n, ok := range map[int]bool{maxChats: true, maxChats + 1: false} {
		var chats []string
		for i := range n {
			chats = append(chats, fmt.Sprintf("+4915155501%02d%d", i%100, i/100))
		}
		for field, in := range map[string]api.PutWebhook{"chats": {Chats: &chats}, "not_chats": {NotChats: &chats}} {
			if err := CheckFilter(in); (err == nil) != ok {
				t.Errorf("%d %s: %v", n, field, err)
			}
		}
	}
}
