//go:build !windows

package servicemanager

import (
	"context"
	"os"
)

// Elevated reports whether this process may install for the system.
func Elevated() bool { return os.Geteuid() == 0 }

// newControl returns nil: there is no service control manager here.
func newControl() controlManager { return nil }

// RunAsService returns ErrUnsupported: a service of Windows runs on Windows.
func RunAsService(context.Context, Work) error { return ErrUnsupported }
