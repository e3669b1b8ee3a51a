// Package windowsservice has the names and the access of a service of Windows for a state
// directory, so that who installs it, who serves and who connects to it agree on them. All of it is
// text made of text, for every system, so that it is tested on every system.
package windowsservice

import (
	"crypto/sha1" //nolint:gosec // Windows makes SIDs of services with it
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf16"
)

// Well-known SIDs.
const (
	system         = "S-1-5-18"
	administrators = "S-1-5-32-544"
	services       = "S-1-5-80-" // what the SID of a service begins with
)

// UsualDir is where the service keeps its state when nobody names another place, "" where Windows
// does not say where the data of programs is.
func UsualDir(getenv func(string) string) string {
	if data := getenv("ProgramData"); len(data) > 2 && data[1] == ':' {
		return strings.TrimRight(data, `\/`) + `\waoutbox`
	}
	return ""
}

// CleanDir returns one text for all the ways to write an absolute directory of Windows: in
// capitals, with other slashes, or as the system's long form.
func CleanDir(dir string) string {
	dir = strings.ReplaceAll(strings.ToLower(dir), "/", `\`)
	if share, ok := strings.CutPrefix(dir, `\\?\unc\`); ok {
		dir = `\\` + share
	}
	return strings.TrimRight(strings.TrimPrefix(dir, `\\?\`), `\`)
}

// Name is what the service of a state directory is called, and its account by that: the plain name
// for the usual directory.
func Name(stateDir, usualDir string) string {
	dir := CleanDir(stateDir)
	if usualDir != "" && dir == CleanDir(usualDir) {
		return "waoutbox"
	}
	sum := sha256.Sum256([]byte(dir))
	return "waoutbox-" + hex.EncodeToString(sum[:4])
}

// Account is whom a service runs as: an account of its own without a password, which may nothing
// that was not given to it.
func Account(name string) string { return `NT SERVICE\` + name }

// SID is what Windows calls the account of a service: a hash of the name in capitals.
func SID(name string) string {
	var text []byte
	for _, unit := range utf16.Encode([]rune(strings.ToUpper(name))) {
		text = binary.LittleEndian.AppendUint16(text, unit)
	}
	sum := sha1.Sum(text) //nolint:gosec // as Windows does
	var sid strings.Builder
	sid.WriteString("S-1-5-80")
	for i := 0; i < len(sum); i += 4 {
		fmt.Fprintf(&sid, "-%d", binary.LittleEndian.Uint32(sum[i:]))
	}
	return sid.String()
}

// IsSID reports whether a SID is a service's.
func IsSID(sid string) bool { return strings.HasPrefix(sid, services) }

// DirAccess is who may reach the state of the service with this SID, as a security descriptor: it
// belongs to administrators, inherits nothing, and is open to the system, administrators, and the
// service, which may change all in it but who may reach it.
func DirAccess(sid string) string {
	return "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;" + sid + ")"
}

// MayOwnDir reports whether a directory that is there may become the state of the service with this
// SID: it belongs to the system, administrators, the service, or who installs it. Anybody may make
// a directory below the usual place, and would keep the files that they put there.
func MayOwnDir(owner, sid, installer string) bool {
	return owner == system || owner == administrators || owner == sid || owner == installer
}
