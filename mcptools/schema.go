package mcptools

import (
	"encoding/json"
	"fmt"
	"strings"
)

// quoted is s as a JSON string.
func quoted(s string) string {
	text, err := jsonText(s)
	if err != nil {
		panic(fmt.Sprintf("quote %q: %v", s, err)) // a string always encodes
	}
	return text
}

// eventEnum lists the event names as a JSON array, with "*" where it means every event.
func (s *Server) eventEnum(star bool) string {
	names := s.eventNames()
	if star {
		names = append(names, "*")
	}
	text, err := json.Marshal(names)
	if err != nil {
		panic(fmt.Sprintf("list the events: %v", err)) // strings always encode
	}
	return string(text)
}

// eventHelp says what the names mean, in one string: the place where an agent chooses.
func (s *Server) eventHelp() string {
	parts := make([]string, 0, len(s.opts.Events)+1)
	for _, e := range s.opts.Events {
		parts = append(parts, e.Name+": "+strings.TrimSuffix(e.Description, "."))
	}
	return strings.Join(append(parts, `default on creation: ["*"], all`), "; ")
}
