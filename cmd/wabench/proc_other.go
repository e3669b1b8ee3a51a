//go:build !linux

package main

// writtenBytes is not known here.
func writtenBytes() (int64, bool) { return 0, false }

// anonBytes is not known here.
func anonBytes() (int64, bool) { return 0, false }

// dropCache is not possible here: a cold start is measured with a warm cache.
func dropCache(string) bool { return false }
