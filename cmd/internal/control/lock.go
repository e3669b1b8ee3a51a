package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/gofrs/flock"

	"waoutbox/outbox/api"
)

// lockName is the state's own lock: held by the process that owns the state, for as long as it does.
const lockName = "lock"

// owner is who holds the state's lock, as far as can be told.
type owner struct {
	held    bool
	pid     int    // 0: not known
	version string // "": not known
}

// String names the owner in a sentence.
func (o owner) String() string {
	switch {
	case o.pid == 0:
		return "another process"
	case o.version == "":
		return fmt.Sprintf("waoutbox (pid %d)", o.pid)
	}
	return fmt.Sprintf("waoutbox (pid %d, version %s)", o.pid, o.version)
}

// stateOwner looks who holds the lock, without creating it. It takes a shared lock for a moment: lookers do not see one another, and a
// starting owner that meets one tries again within its two seconds.
func stateOwner(stateDir string) (owner, error) {
	path := filepath.Join(stateDir, lockName)
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	defer l.Close()
	free, err := l.TryRLock()
	if errors.Is(err, fs.ErrNotExist) {
		return owner{}, nil
	}
	if err != nil {
		return owner{}, err
	}
	if free {
		return owner{}, nil
	}
	o := owner{held: true}
	o.pid, o.version = readOwner(path)
	return o, nil
}

// ownerText finds the pid and the version that follows it, whatever stands between them.
var ownerText = regexp.MustCompile(`(\d+)(?:[^0-9A-Za-z]+(?:version[^0-9A-Za-z]+)?([0-9A-Za-z][0-9A-Za-z.+-]*))?`)

// readOwner reads pid and version from the lock file; what cannot be read stays empty (Windows forbids reading a locked file).
func readOwner(path string) (pid int, version string) {
	f, err := os.Open(path)
	if err != nil {
		return 0, ""
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return 0, ""
	}
	var o struct {
		PID     int    `json:"pid"`
		Version string `json:"version"`
	}
	if json.Unmarshal(raw, &o) == nil {
		return o.PID, o.Version
	}
	m := ownerText.FindSubmatch(raw)
	if m == nil {
		return 0, ""
	}
	pid, _ = strconv.Atoi(string(m[1])) // digits; too many of them answer 0
	return pid, string(m[2])
}

// notReached turns a failed dial into a sentence: not running, or running but deaf.
func (c *Client) notReached(d *dialError) *api.Error {
	if e, ok := errors.AsType[*api.Error](d.err); ok {
		return e
	}
	if errors.Is(d.err, fs.ErrPermission) {
		return api.Errorf(api.CodeServiceUnavail, "the service of %s belongs to another user (%s). Run this as that user, or choose another --state-dir", c.stateDir, d.path)
	}
	o, err := stateOwner(c.stateDir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return api.Errorf(api.CodeServiceUnavail, "%s belongs to another user. Run this as that user, or choose another --state-dir", c.stateDir)
	case err != nil:
		return api.Errorf(api.CodeServiceUnavail, "waoutbox cannot be reached (%v), and its lock cannot be read: %v. Look at %s", d, err, c.stateDir)
	case o.held:
		return unavailable("%s owns %s but does not answer at %s. It may be starting or stopping: try again. If it stays so, end that process and start again: waoutbox start",
			o, c.stateDir, d.path)
	}
	return api.Errorf(api.CodeServiceUnavail, "waoutbox is not running (state %s). Start it: waoutbox start", c.stateDir)
}
