package socket

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// The names and the access of control pipes are made here for every system, so that they are tested
// on every system; Windows alone uses them.

// maxPipeName is the most characters that Windows takes of a pipe's name.
const maxPipeName = 256

// pipeName names the pipe of a state directory: the user's SID and a hash of the path, so that
// neither users nor states collide. dir is absolute; however it is written, in capitals, with other
// slashes, or as the system's long form, it is the same one.
func pipeName(sid, dir string) string {
	dir = strings.ReplaceAll(strings.ToLower(dir), "/", `\`)
	if share, ok := strings.CutPrefix(dir, `\\?\unc\`); ok {
		dir = `\\` + share
	}
	dir = strings.TrimRight(strings.TrimPrefix(dir, `\\?\`), `\`)
	sum := sha256.Sum256([]byte(dir))
	return `\\.\pipe\waoutbox-` + sid + "-" + hex.EncodeToString(sum[:8])
}

// pipeAccess is who may open a pipe, as a security descriptor: D:P, nothing inherited; all access
// for the user, and none over the network.
func pipeAccess(sid string) string {
	return "D:P(D;;GA;;;NU)(A;;GA;;;" + sid + ")"
}
