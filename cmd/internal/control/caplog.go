package control

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

// capEvery is how often the size of serve.log is looked at. A busy daemon writes some MiB in this time.
const capEvery = 10 * time.Second

// CapLog keeps the serve.log of a daemon that Ensure started from filling the disk: above 10 MiB its text moves to serve.log.1, which
// replaces the one before. own is where this process logs to (os.Stderr); when that is not serve.log, nothing is touched. It blocks
// until ctx ends and then answers nil; what fails is logged once and tried again.
func CapLog(ctx context.Context, stateDir string, own *os.File, log *slog.Logger) error {
	tick := time.NewTicker(capEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := capLog(logPath(stateDir), own)
		if err != nil && !failed {
			log.Warn("log not capped", "error", err)
		}
		failed = err != nil
	}
}

// capLog copies and truncates: the writer keeps its open file, and because that one appends, it goes on at the new end. Lines written
// between the copy and the truncation are lost.
func capLog(path string, own *os.File) error {
	mine, err := own.Stat()
	if err != nil || mine.Size() <= maxLogBytes {
		return err
	}
	there, err := os.Lstat(path)
	if err != nil || !os.SameFile(mine, there) {
		return nil // it logs elsewhere: a terminal, a service manager, somebody's file
	}
	from, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cap log: %w", err)
	}
	defer from.Close()
	old := path + ".1"
	if err := os.Remove(old); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("cap log: %w", err)
	}
	to, err := os.OpenFile(old, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cap log: %w", err)
	}
	// The end matters most; with a burst, the beginning is left out. A full disk must not keep the log from being cut.
	_, copyErr := io.Copy(to, io.NewSectionReader(from, max(0, mine.Size()-2*maxLogBytes), 2*maxLogBytes))
	if err := to.Close(); copyErr == nil {
		copyErr = err
	}
	if err := os.Truncate(path, 0); err != nil {
		return fmt.Errorf("cap log: %w", err)
	}
	if copyErr != nil {
		return fmt.Errorf("cap log: the older lines could not all be kept: %w", copyErr)
	}
	return nil
}
