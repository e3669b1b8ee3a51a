package main

import (
	"fmt"
	"slices"
	"strings"
)

const list = "docs/MUTATIONS.md"

// mutation is one fenced block of the list: the file, the lines that go ("-"), those that come
// instead ("+"), and the command that must fail.
type mutation struct {
	at            int      // line in the list
	headings      []string // those it stands below, the outermost first
	file          string
	before, after string
	command       []string
}

// parse reads every block that begins with ```mutation.
func parse(text string) (all []mutation, err error) {
	lines := strings.Split(text, "\n")
	var headings []string
	fenced := false // a comment of a shell looks like a heading
	for i := 0; i < len(lines); i++ {
		if level := len(lines[i]) - len(strings.TrimLeft(lines[i], "#")); level > 0 && !fenced {
			headings = append(slices.Clone(headings[:min(level-1, len(headings))]), strings.TrimLeft(lines[i], "# "))
		}
		if lines[i] != "```mutation" {
			fenced = fenced != strings.HasPrefix(lines[i], "```")
			continue
		}
		m := mutation{at: i + 1, headings: headings}
		var before, after []string
		for i++; i < len(lines) && lines[i] != "```"; i++ {
			line := lines[i]
			switch {
			case m.file == "":
				m.file = line
			case strings.HasPrefix(line, "-"):
				before = append(before, line[1:])
			case strings.HasPrefix(line, "+"):
				after = append(after, line[1:])
			case strings.HasPrefix(line, "go test "):
				m.command = strings.Fields(line)
			default:
				return nil, fmt.Errorf("%s:%d: %q is no part of a mutation", list, i+1, line)
			}
		}
		m.before, m.after = strings.Join(before, "\n"), strings.Join(after, "\n")
		if m.file == "" || m.before == "" || m.command == nil {
			return nil, fmt.Errorf("%s:%d: a mutation has a file, lines that go and a go test", list, m.at)
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no mutations", list)
	}
	return all, nil
}

func (m mutation) selected(o options) bool {
	if m.at < o.from || o.to > 0 && m.at > o.to {
		return false
	}
	below := false
	for _, h := range m.headings {
		below = below || o.section.MatchString(h)
	}
	if !below {
		return false
	}
	text := m.file + "\n" + m.before + "\n" + m.after + "\n" + strings.Join(m.command, " ")
	for _, w := range o.words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return len(o.words) == 0
}

// packages are the packages that the command tests.
func (m mutation) packages() (names []string) {
	for _, field := range m.command {
		if strings.HasPrefix(field, "./") {
			names = append(names, field)
		}
	}
	return names
}

// test is the one that the command names, or "" when it runs all of a package.
func (m mutation) test() string {
	for i, field := range m.command[1:] {
		if m.command[i] == "-run" {
			return strings.TrimSuffix(field, "$")
		}
	}
	return ""
}

// byPackage puts the mutations whose commands test the same packages together, so that these are
// compiled, and run unbroken, once.
func byPackage(all []mutation) (groups [][]mutation) {
	index := map[string]int{}
	for _, m := range all {
		key := strings.Join(m.packages(), " ")
		i, known := index[key]
		if !known {
			i = len(groups)
			index[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], m)
	}
	return groups
}
