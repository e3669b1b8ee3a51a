//go:build !linux

package main

import "os"

// dataSync makes what was written durable, as bbolt does it here.
func dataSync(f *os.File) error { return f.Sync() }
