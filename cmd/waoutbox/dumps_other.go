//go:build !linux

package main

// forbidDumps keeps the memory of this process out of core files, where the system makes some.
func forbidDumps() { noCore() }
