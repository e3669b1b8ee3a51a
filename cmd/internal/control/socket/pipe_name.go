package socket

import (
	"crypto/sha256"
	"encoding/hex"

	"waoutbox/cmd/internal/windowsservice"
)

// The names and the access of control pipes are made here for every system, so that they are tested
// on every system; Windows alone uses them.

// maxPipeName is the most characters that Windows takes of a pipe's name.
const maxPipeName = 256

// pipeName names the pipe of a state directory: the SID of who serves it and a hash of the path, so
// that neither users nor states collide. dir is absolute, and may be written in any way.
func pipeName(sid, dir string) string {
	sum := sha256.Sum256([]byte(windowsservice.CleanDir(dir)))
	return `\\.\pipe\waoutbox-` + sid + "-" + hex.EncodeToString(sum[:8])
}

// pipeAccess is who may open the pipe of the user or the service with this SID, as a security
// descriptor: it belongs to them, D:P inherits nothing; all access for them, and none over the
// network. That of a service is open to the system and to administrators too, as their processes
// are that were started as such.
func pipeAccess(sid string) string {
	access := "O:" + sid + "D:P(D;;GA;;;NU)(A;;GA;;;" + sid + ")"
	if windowsservice.IsSID(sid) {
		access += "(A;;GA;;;SY)(A;;GA;;;BA)"
	}
	return access
}
