// Package daemon starts and stops the process that owns a state directory: Ensure starts `serve` in
// the background when none runs, Inherited is that process's side of the start, Stop ends it,
// OpenLog is the log it writes.
package daemon
