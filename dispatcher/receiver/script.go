package receiver

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Step is one scripted response.
type Step struct {
	Status     int           // HTTP status; ignored when Hang or Reset
	Hang       bool          // never respond; ends when the client gives up or the receiver closes
	Reset      bool          // break the connection without a response
	After      time.Duration // wait before responding
	RetryAfter string        // Retry-After header, "" for none
	Body       string        // the response's body
}

// Script is a list of responses; the last one repeats. An empty script responds 200.
type Script []Step

// ParseScript reads a comma-separated list of responses: a status ("503"), "hang" or "reset". A
// status may be followed by "@duration" (wait before responding: "200@50ms") and "+seconds"
// (Retry-After: "429+2").
func ParseScript(text string) (Script, error) {
	var out Script
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		st, err := parseStep(part)
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// MustScript is ParseScript for scripts written in source code.
func MustScript(text string) Script {
	s, err := ParseScript(text)
	if err != nil {
		panic(err)
	}
	return s
}

func parseStep(part string) (st Step, err error) {
	word := part
	if i := strings.IndexByte(word, '+'); i >= 0 {
		word, st.RetryAfter = word[:i], word[i+1:]
	}
	if i := strings.IndexByte(word, '@'); i >= 0 {
		if st.After, err = time.ParseDuration(word[i+1:]); err != nil {
			return Step{}, fmt.Errorf("response %q: %w", part, err)
		}
		word = word[:i]
	}
	switch word {
	case "hang":
		st.Hang = true
		return st, nil
	case "reset":
		st.Reset = true
		return st, nil
	}
	st.Status, err = strconv.Atoi(word)
	if err != nil || st.Status < 200 || st.Status > 599 {
		return Step{}, fmt.Errorf("response %q is none of: a status from 200 to 599, hang, reset", part)
	}
	return st, nil
}

// at returns step i, the last one for everything beyond.
func (s Script) at(i int) Step {
	if len(s) == 0 {
		return Step{Status: 200}
	}
	return s[min(i, len(s)-1)]
}
