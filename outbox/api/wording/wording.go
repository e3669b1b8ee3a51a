package wording

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// ForPrograms returns a sentence with the routes that do what its commands do.
func ForPrograms(sentence string) string {
	return replaced(sentence, func(w Way, given []argument) (string, bool) {
		return withRoute(w.Route, w.Fields, given)
	})
}

// ForAgents returns a sentence with the tools that do what its commands do, of those that the agent
// has.
func ForAgents(sentence string, has func(tool string) bool) string {
	return replaced(sentence, func(w Way, given []argument) (string, bool) {
		name, _, _ := strings.Cut(w.Tool, " ")
		if name == "" || !has(name) {
			return "", false
		}
		return withTool(w.Tool, w.Arguments, given)
	})
}

// ForShell returns a sentence with its commands as they are typed to work on one state: command,
// like "waoutbox --state-dir DIR", begins those that name no state directory yet, also in
// backquotes. What it returned once it returns as it is.
func ForShell(sentence, command string) string {
	return eachCommand(sentence, func(_, name, line string) (said, rest string) {
		if name == "waoutbox " && known(line) {
			name = command + " "
		}
		return name, line
	})
}

// argument is a part of a command line: a flag with its value, or what stands without a flag.
type argument struct{ flag, value string }

// placeholder reports whether the value is a word for one, like URL or ID....
func (a argument) placeholder() bool { return placeholders.MatchString(a.value) }

var (
	program      = regexp.MustCompile(`\bwaoutbox(?: --state-dir (?:'[^']*'|"[^"]*"|[^\s'"]+))? `)
	placeholders = regexp.MustCompile(`^[A-Z][A-Z-]*(?:\.\.\.)?$`)
	flags        = regexp.MustCompile(`^--[a-z][a-z-]*$`)
	// values of arguments that are no words of the sentence
	values = regexp.MustCompile(`^(?:'[^']*'|(?:wh|dl|evt)_[\w-]+|https?://\S+|[\w.:+-]+@[\w.]+|[A-Z][A-Z-]*(?:\.\.\.)?|\d+[a-z]*)$`)
)

// replaced returns the sentence with what in returns for its commands; false leaves one as it is.
// One in backquotes is for the user to run, whoever reads of it, and stays.
func replaced(sentence string, in func(w Way, given []argument) (string, bool)) string {
	return eachCommand(sentence, func(before, name, line string) (said, rest string) {
		w, given, rest, ok := parse(line)
		if ok = ok && !strings.HasSuffix(before, "`"); ok {
			said, ok = in(w, given)
		}
		if !ok {
			return name, line
		}
		return said, rest
	})
}

// eachCommand returns the sentence with what as returns for the program's name where it stands, and
// goes on with the rest that as returns. as gets what is before the name, and the line after it.
func eachCommand(sentence string, as func(before, name, line string) (said, rest string)) string {
	var out strings.Builder
	for {
		at := program.FindStringIndex(sentence)
		if at == nil {
			out.WriteString(sentence)
			return out.String()
		}
		before := sentence[:at[0]]
		said, rest := as(before, sentence[at[0]:at[1]], sentence[at[1]:])
		out.WriteString(before + said)
		sentence = rest
	}
}

// parse reads the command that a text begins with: the longest one that is known, its arguments,
// and what follows them.
func parse(text string) (found Way, given []argument, rest string, ok bool) {
	for _, w := range Ways() {
		if len(w.Command) > len(found.Command) && begins(text, w.Command) {
			found, ok = w, true
		}
	}
	for _, command := range Owners() {
		if len(command) > len(found.Command) && begins(text, command) {
			return Way{}, nil, text, false
		}
	}
	if !ok {
		return Way{}, nil, text, false
	}
	rest = text[len(found.Command):]
	flag := ""
	for {
		word, after, more := nextWord(rest)
		switch {
		case word == "":
			return found, given, rest, true
		case flags.MatchString(word):
			flag = word
			given = append(given, argument{flag: flag})
		case values.MatchString(word):
			if last := len(given) - 1; flag != "" && takesValue(flag, found) {
				given[last].value = word
			} else {
				given = append(given, argument{value: word})
			}
			flag = ""
		default:
			return found, given, rest, true
		}
		if rest = after; !more {
			return found, given, rest, true
		}
	}
}

// known reports whether a text begins with a command of the lists.
func known(text string) bool {
	return slices.ContainsFunc(Ways(), func(w Way) bool { return begins(text, w.Command) }) ||
		slices.ContainsFunc(Owners(), func(command string) bool { return begins(text, command) })
}

// begins reports whether a text begins with a command, and not with a longer word.
func begins(text, command string) bool {
	after, ok := strings.CutPrefix(text, command)
	return ok && (after == "" || !strings.ContainsAny(after[:1], "-_abcdefghijklmnopqrstuvwxyz0123456789"))
}

// nextWord returns the word behind one space, without what ends a part of a sentence, and the text
// after it; more reports whether that part may go on.
func nextWord(text string) (word, after string, more bool) {
	text, ok := strings.CutPrefix(text, " ")
	if !ok {
		return "", "", false
	}
	if strings.HasPrefix(text, "'") {
		if end := strings.IndexByte(text[1:], '\''); end >= 0 {
			return text[:end+2], text[end+2:], true
		}
	}
	end := strings.IndexAny(text, " \n\t`)")
	if end < 0 {
		end = len(text)
	}
	word = text[:end]
	if !strings.HasSuffix(word, "...") {
		word = strings.TrimRight(word, ".,;:")
	}
	return word, text[len(word):], len(word) == end
}

// takesValue reports whether a flag of a command has a value: where a way says it whole, it has
// none.
func takesValue(flag string, w Way) bool {
	return !strings.Contains(w.Arguments[flag], " ") && !strings.Contains(w.Fields[flag], " ")
}

// open stands where the caller puts in what he has.
const open = "…"

// named returns what the arguments are called, and their values; false where one has no name. What
// has the name "" is left out.
func named(given []argument, names map[string]string) (all []argument, ok bool) {
	for _, a := range given {
		name, known := names[a.flag]
		if !known {
			return nil, false
		}
		if whole, value, fixed := strings.Cut(name, " "); fixed {
			a.value, name = value, whole
		}
		switch {
		case name == "" || a.placeholder() && a.flag == "":
			continue
		case a.placeholder():
			a.value = open
		}
		a.flag = name
		if i := slices.IndexFunc(all, func(b argument) bool { return b.flag == name }); i >= 0 {
			all[i].value += " " + a.value
			continue
		}
		all = append(all, a)
	}
	return all, true
}

// withTool says a tool with its arguments.
func withTool(tool string, names map[string]string, given []argument) (string, bool) {
	all, ok := named(given, names)
	if !ok {
		return "", false
	}
	var said []string
	for _, a := range all {
		said = append(said, a.flag+" "+a.value)
	}
	if len(said) > 0 {
		tool += " (" + strings.Join(said, ", ") + ")"
	}
	return tool, true
}

// withRoute says a route with its fields: in the path, in the query of GET and DELETE, else in the
// body.
func withRoute(route string, names map[string]string, given []argument) (string, bool) {
	all, ok := named(given, names)
	if route == "" || !ok {
		return "", false
	}
	var query, body []string
	for _, a := range all {
		value := strings.Trim(a.value, "'")
		if in := "{" + a.flag + "}"; strings.Contains(route, in) {
			route = strings.ReplaceAll(route, in, pathPart(value))
			continue
		}
		query = append(query, a.flag+"="+value)
		body = append(body, jsonText(a.flag)+":"+jsonValue(a.flag, value))
	}
	switch {
	case len(query) == 0:
		return route, true
	case strings.HasPrefix(route, "POST "):
		return route + " with {" + strings.Join(body, ",") + "}", true
	}
	return route + "?" + strings.Join(query, "&"), true
}

// pathPart is a value as one part of a path.
func pathPart(value string) string {
	return strings.NewReplacer("%", "%25", "/", "%2F", "?", "%3F", "#", "%23", " ", "%20").Replace(value)
}

// jsonValue is the value of a field of a body.
func jsonValue(field, value string) string {
	switch {
	case value == "true" || value == `""` || value == open:
		return value
	case field == "ids":
		var all []string
		for one := range strings.SplitSeq(value, " ") {
			all = append(all, jsonText(one))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	return jsonText(value)
}

func jsonText(s string) string {
	raw, err := json.Marshal(s)
	if err != nil { // no string fails
		return `""`
	}
	return string(raw)
}
