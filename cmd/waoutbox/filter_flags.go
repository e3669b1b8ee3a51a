package main

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// filterFlags are the flags that say which events a webhook wants.
type filterFlags struct{ events, chats, notChats, kinds []string }

func (f *filterFlags) add(fl *pflag.FlagSet) {
	fl.StringSliceVar(&f.events, "event", nil, "event to deliver, repeatable; * is all, and the default of a new webhook")
	fl.StringSliceVar(&f.chats, "chat", nil, "deliver only events of this chat (phone number or JID), repeatable; '*' goes back to all")
	fl.StringSliceVar(&f.notChats, "not-chat", nil, "deliver no events of this chat, repeatable; none goes back to no exception")
	fl.StringSliceVar(&f.kinds, "kind", nil, "deliver only events of this kind of chat: "+strings.Join(outbox.ChatKinds(), ", ")+"; repeatable; '*' goes back to all")
}

// read sets what was given. One word stands for an empty list, since an empty value is more likely
// a variable that is not set than a wish for all chats.
func (f *filterFlags) read(fl *pflag.FlagSet, in *api.PutWebhook) error {
	for _, list := range []struct {
		name, nothing string
		goesBack      string
		values        []string
		to            **[]string
	}{
		{"event", "", "* is all events", f.events, &in.Events},
		{"chat", "*", "'*' goes back to all chats", f.chats, &in.Chats},
		{"not-chat", "none", "none goes back to no exception", f.notChats, &in.NotChats},
		{"kind", "*", "'*' goes back to all kinds", f.kinds, &in.Kinds},
	} {
		if !fl.Changed(list.name) {
			continue
		}
		values := list.values
		switch {
		case len(values) == 0 || slices.Contains(values, ""):
			return usagef("--%s has an empty value: give one, or leave the flag out; %s", list.name, list.goesBack)
		case list.nothing != "" && slices.Equal(values, []string{list.nothing}):
			values = []string{}
		case list.nothing != "" && slices.Contains(values, list.nothing):
			return usagef("--%s %s stands alone: leave it out, or the others", list.name, term.Quote(list.nothing))
		}
		*list.to = &values
	}
	return nil
}

// showFilter says which chats a webhook gets events of, where that is not every chat.
func showFilter(w api.Webhook, names chatNames, line func(name, text string)) {
	if len(w.Chats) > 0 {
		line("chats", names.list(w.Chats))
	}
	if len(w.NotChats) > 0 {
		line("left out", names.list(w.NotChats))
	}
	if len(w.Kinds) > 0 {
		line("kinds", listText(w.Kinds))
	}
}

// filterText is the filter of a webhook in a table: its events, and how many chats it names.
func filterText(w api.Webhook) string {
	var parts []string
	if n := int64(len(w.Chats)); n > 0 {
		parts = append(parts, term.Plural(n, "chat", "chats"))
	}
	if n := len(w.NotChats); n > 0 {
		parts = append(parts, term.Count(int64(n))+" left out")
	}
	if len(w.Kinds) > 0 {
		parts = append(parts, listText(w.Kinds))
	}
	if len(parts) == 0 {
		return listText(w.Events)
	}
	return listText(w.Events) + " (" + strings.Join(parts, "; ") + ")"
}
