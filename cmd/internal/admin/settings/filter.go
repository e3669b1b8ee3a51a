package settings

import (
	"errors"
	"slices"
	"strings"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// maxChats bounds the chats a filter names, wanted and left out each: filters are kept with every
// epoch and matched at every append.
const maxChats = 100

// CheckFilter refuses chats and kinds that no event can have.
func CheckFilter(in api.PutWebhook) error {
	if _, err := chats("chat", in.Chats); err != nil {
		return err
	}
	if _, err := chats("not-chat", in.NotChats); err != nil {
		return err
	}
	_, err := chatKinds(in.Kinds)
	return err
}

// Filter returns f with what in gives; what in leaves out stays. kinds are the kinds of chat that
// the events of each name can be of, none for those of no chat. A filter that matches no event is
// refused; a part of one that cannot match is a warning.
func Filter(f outbox.Filter, in api.PutWebhook, kinds map[string][]string) (out outbox.Filter, warnings []string, err error) {
	if in.Events == nil && in.Chats == nil && in.NotChats == nil && in.Kinds == nil {
		return f, nil, nil // whatever an older version took: this call is about something else
	}
	if in.Events != nil {
		f.Events = normalEvents(*in.Events)
	}
	if in.Chats != nil {
		if f.Chats, err = chats("chat", in.Chats); err != nil {
			return f, nil, err
		}
	}
	if in.NotChats != nil {
		if f.NotChats, err = chats("not-chat", in.NotChats); err != nil {
			return f, nil, err
		}
	}
	if in.Kinds != nil {
		if f.Kinds, err = chatKinds(in.Kinds); err != nil {
			return f, nil, err
		}
	}
	if warnings, err = consistent(f); err != nil {
		return f, nil, err
	}
	if in.Chats != nil {
		warnings = append(warnings, otherForms("chat", f.Chats)...)
	}
	if in.NotChats != nil {
		warnings = append(warnings, otherForms("not-chat", f.NotChats)...)
	}
	never, err := eventsThatNeverCome(f, kinds)
	return f, append(warnings, never...), err
}

// otherForms warns of numbers that WhatsApp may write in another way, unless that is given too.
func otherForms(field string, chats []string) (warnings []string) {
	for _, chat := range chats {
		if other := otherForm(chat); other != "" && !slices.Contains(chats, other) {
			warnings = append(warnings, field+" "+chat+": WhatsApp may know this number as "+other+"; give both, or the one that events show")
		}
	}
	return warnings
}

// SameFilter reports whether two filters want the same events in the same words.
func SameFilter(a, b outbox.Filter) bool {
	return slices.Equal(a.Events, b.Events) && slices.Equal(a.Chats, b.Chats) &&
		slices.Equal(a.NotChats, b.NotChats) && slices.Equal(a.Kinds, b.Kinds)
}

// chats returns addresses as events carry them, sorted and each once.
func chats(field string, given *[]string) ([]string, error) {
	if given == nil {
		return nil, nil
	}
	if len(*given) > maxChats {
		return nil, api.Errorf(api.CodeInvalidArguments, "%s names %d chats, the most is %d: leave it out and filter in the receiver", field, len(*given), maxChats).In("chats")
	}
	var out []string
	for _, text := range *given {
		chat, err := Chat(field, text)
		if e, ok := errors.AsType[*api.Error](err); ok {
			e.Field = strings.ReplaceAll(field, "-", "_") + "s" // a list here
		}
		if err != nil {
			return nil, err
		}
		out = append(out, chat)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// chatKinds returns kinds of chat in the order in which they are always shown, each once.
func chatKinds(given *[]string) (out []string, err error) {
	if given == nil {
		return nil, nil
	}
	known := outbox.ChatKinds()
	for _, k := range *given {
		if !slices.Contains(known, strings.ToLower(strings.TrimSpace(k))) {
			return nil, api.Errorf(api.CodeInvalidArguments, "unknown kind of chat %q.%s Known: %s", term.Short(k, 60), term.DidYouMean(k, known), strings.Join(known, ", ")).In("kinds")
		}
	}
	for _, k := range known {
		if slices.ContainsFunc(*given, func(g string) bool { return strings.ToLower(strings.TrimSpace(g)) == k }) {
			out = append(out, k)
		}
	}
	return out, nil
}

// consistent refuses a filter whose parts exclude each other.
func consistent(f outbox.Filter) (warnings []string, err error) {
	for _, chat := range f.Chats {
		if slices.Contains(f.NotChats, chat) {
			return nil, api.Errorf(api.CodeInvalidArguments, "%s is wanted (chat) and left out (not-chat), so it never matches: take it out of one of them", chat).In("not_chats")
		}
	}
	var excluded []string
	for _, chat := range f.Chats {
		if len(f.Kinds) > 0 && !slices.Contains(f.Kinds, outbox.ChatKind(chat)) {
			excluded = append(excluded, chat)
		}
	}
	switch {
	case len(excluded) == 0:
	case len(excluded) == len(f.Chats):
		return nil, api.Errorf(api.CodeInvalidArguments, "kind %s excludes every chat that is listed (%s), so nothing ever matches: take one of the two out", strings.Join(f.Kinds, ", "), few(excluded)).In("kinds")
	default:
		warnings = append(warnings, "kind "+strings.Join(f.Kinds, ", ")+" excludes "+few(excluded)+", which never match")
	}
	return warnings, nil
}

// eventsThatNeverCome warns of events that are of none of the chats a filter lets through, and
// refuses a filter whose events all are such.
func eventsThatNeverCome(f outbox.Filter, kinds map[string][]string) (warnings []string, err error) {
	for _, name := range f.Events {
		if of, known := kinds[name]; known && !lets(f, of) {
			warnings = append(warnings, name+" never comes: "+chatsOf(of)+", which this filter leaves out")
		}
	}
	if len(warnings) > 0 && len(warnings) == len(f.Events) {
		return nil, api.Errorf(api.CodeInvalidArguments, "%s; so nothing ever matches: name other events, or change chat, not-chat and kind", strings.Join(warnings, "; ")).In("events")
	}
	return warnings, nil
}

// lets reports whether a filter lets through some chat of these kinds; none: of no chat.
func lets(f outbox.Filter, kinds []string) bool {
	if len(kinds) == 0 {
		return len(f.Kinds) == 0 && !slices.Contains(f.NotChats, ConnectionChat) && (len(f.Chats) == 0 || slices.Contains(f.Chats, ConnectionChat))
	}
	wanted := func(kind string) bool {
		return slices.Contains(kinds, kind) && (len(f.Kinds) == 0 || slices.Contains(f.Kinds, kind))
	}
	if len(f.Chats) == 0 {
		return slices.ContainsFunc(outbox.ChatKinds(), wanted)
	}
	return slices.ContainsFunc(f.Chats, func(chat string) bool { return wanted(outbox.ChatKind(chat)) })
}

// chatsOf says which chats events can be of.
func chatsOf(kinds []string) string {
	if len(kinds) == 0 {
		return "it is of no chat"
	}
	return "it is of chats of the kind " + strings.Join(kinds, " or ")
}

// few renders the first addresses of a list.
func few(chats []string) string {
	if len(chats) <= 3 {
		return strings.Join(chats, ", ")
	}
	return strings.Join(chats[:3], ", ") + " and " + term.Plural(int64(len(chats)-3), "other", "others")
}
