//go:build !linux

package garbage

// dropProgram does nothing: these systems take pages back that are as they are in their file when
// somebody needs the memory, and offer no way to give them.
func dropProgram() {}
