package servicemanager

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// What is said to systemd.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	Watchdog = "WATCHDOG=1"
)

// ExitConfig is how the service ends that its settings keep from ever running: a manager need not
// start it again. Go ends a process that panics with 2.
const ExitConfig = 78

// Waits reports whether a service manager started this process and waits for what it says.
func Waits(getenv func(string) string) bool { return getenv("NOTIFY_SOCKET") != "" }

// Notify says something to the service manager that waits for it, and nothing where none does.
func Notify(getenv func(string) string, what string) error {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	if name, abstract := strings.CutPrefix(path, "@"); abstract {
		path = "\x00" + name
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte(what))
	return errors.Join(err, conn.Close())
}

// WatchdogEvery is how often the manager wants to hear that this process is alive, 0 for never.
func WatchdogEvery(getenv func(string) string) time.Duration {
	usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 || getenv("NOTIFY_SOCKET") == "" {
		return 0
	}
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond / 2
}

// KeepAlive says that this process is alive, at once and then that often, until ctx ends. It asks
// alive first, which blocks in a process that hangs; its errors are of no interest.
func KeepAlive(ctx context.Context, getenv func(string) string, alive func(context.Context) error) error {
	every := WatchdogEvery(getenv)
	if every == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		_ = alive(ctx)
		_ = Notify(getenv, Watchdog) // it is missed, and the manager acts
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}
