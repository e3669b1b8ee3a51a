package private

import (
	"os"
	"strings"
)

// overflowUID is how files of users appear whom the user namespace does not know.
const overflowUID = 65534

// unmapped reports whether uid stands for users outside of this process's user namespace, as in a
// container: nobody in it is that user.
func unmapped(uid int) bool {
	if uid != overflowUID {
		return false
	}
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	first := strings.Fields(lines[0])
	whole := len(lines) == 1 && len(first) == 3 && first[0] == "0" && first[1] == "0" && first[2] == "4294967295"
	return !whole
}
