package main

import (
	"os"
	"syscall"
)

// dataSync makes what was written durable, as bbolt does it here.
func dataSync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
