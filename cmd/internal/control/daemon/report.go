package daemon

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"sync"

	"waoutbox/outbox/api"
)

// reportEnv tells a daemon which of its files (a descriptor, on Windows a handle) is the pipe to
// whoever started it. It is set in the daemon's environment only and goes no further.
const reportEnv = "WAOUTBOX_READY_FD"

const (
	maxReportBytes = 64 << 10 // read of one report
	maxReportText  = 2000     // characters of an error in it
)

// message is the one line that a daemon writes to the pipe: that it is ready, or why it is not.
type message struct {
	Ready   bool       `json:"ready,omitempty"`
	PID     int        `json:"pid,omitempty"`
	Version string     `json:"version,omitempty"`
	Error   *api.Error `json:"error,omitempty"`
}

// Report is a daemon's side of the pipe to the process that started it. The first call of a method
// writes one line and closes the pipe; later ones do nothing. A starter that went away is no error.
// A nil Report is that of a daemon that somebody started by hand: its methods do nothing. Safe for
// concurrent use.
type Report struct {
	once sync.Once
	pipe *os.File
}

// Inherited returns the pipe that Ensure gave this process, nil if there is none, and hides it from
// processes that this one starts. Call it once, early.
func Inherited(getenv func(string) string) *Report {
	value := getenv(reportEnv)
	_ = os.Unsetenv(reportEnv) // fails for names that are none
	if value == "" {
		return nil
	}
	pipe := inheritedPipe(value)
	if pipe == nil {
		return nil // somebody's own setting: not a pipe of ours
	}
	return &Report{pipe: pipe}
}

// Ready reports that the control socket takes calls.
func (r *Report) Ready(d api.Daemon) {
	r.write(message{Ready: true, PID: d.PID, Version: d.Version})
}

// Failed reports why the daemon ends. Call it when it holds nothing any more, the state's lock
// included.
func (r *Report) Failed(code api.Code, text string) {
	if runes := []rune(text); len(runes) > maxReportText {
		text = string(runes[:maxReportText]) + "…"
	}
	r.write(message{Error: &api.Error{Code: code, Message: text}})
}

func (r *Report) write(m message) {
	if r == nil {
		return
	}
	r.once.Do(func() {
		line, _ := json.Marshal(m)              // strings and a number always encode
		_, _ = r.pipe.Write(append(line, '\n')) // nobody may listen any more
		_ = r.pipe.Close()
	})
}

// readMessage reads the line of a daemon, false when it ended without one or wrote something else.
func readMessage(pipe io.Reader) (m message, ok bool) {
	line, err := bufio.NewReader(io.LimitReader(pipe, maxReportBytes)).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &m) != nil {
		return message{}, false
	}
	return m, m.Ready || m.Error != nil
}
