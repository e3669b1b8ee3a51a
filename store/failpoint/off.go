//go:build !failpoints

package failpoint

// On reports whether the program was built with failpoints.
const On = false

// Hit does nothing.
func Hit(Point) {}
