//go:build !linux

package main

import "time"

// writtenBytes is not known here.
func writtenBytes() (int64, bool) { return 0, false }

// anonBytes is not known here.
func anonBytes() (int64, bool) { return 0, false }

// processAnon is not known here.
func processAnon(int) (int64, bool) { return 0, false }

// openFiles is not known here.
func openFiles() int { return 0 }

// dropCache is not possible here: a cold start is measured with a warm cache.
func dropCache(string) bool { return false }

// use is what a process takes: resident memory in bytes, and processor time since its start.
type use struct {
	resident int64
	cpu      time.Duration
}

// processUse is not known here.
func processUse(int) (use, bool) { return use{}, false }
