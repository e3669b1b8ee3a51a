//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

func canMount() bool { return false }

func scriptDisk(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("no disk can be mounted here")
}

func canFail() bool { return false }

func scriptFailingDisk(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("no disk can be made to fail here")
}
