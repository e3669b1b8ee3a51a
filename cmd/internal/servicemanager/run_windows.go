package servicemanager

import (
	"context"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

// How long Windows is asked to wait for the service to be ready, and to end.
const (
	readyHint = 2 * time.Minute
	endHint   = time.Minute
)

// RunAsService does the work of the service of Windows that this process was started as, and
// returns when it has ended: by its manager, by the machine's shutdown, by itself, or by ctx. The
// library would call it running before it is ready, and could not end it from inside.
func RunAsService(ctx context.Context, w Work) error {
	if err := windows.SetStdHandle(windows.STD_ERROR_HANDLE, windows.Handle(w.Stderr.Fd())); err != nil {
		return err
	}
	h := handler{ctx: ctx, work: w, err: make(chan error, 1)}
	if err := svc.Run("", h); err != nil { // a process of one service needs no name
		return err
	}
	return <-h.err
}

// handler tells Windows how the work goes, and the work what Windows wants.
type handler struct {
	ctx  context.Context
	work Work
	err  chan error
}

// Execute is called once, by svc.Run.
func (h handler) Execute(_ []string, requests <-chan svc.ChangeRequest, states chan<- svc.Status) (specific bool, code uint32) {
	states <- svc.Status{State: svc.StartPending, WaitHint: uint32(readyHint.Milliseconds())}
	ctx, stop := context.WithCancel(h.ctx)
	defer stop()
	became, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- h.work.Run(ctx, func() { close(became) }) }()
	ready := became // nil once that says nothing any more
	for {
		select {
		case <-ready:
			ready = nil
			states <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				states <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				states <- svc.Status{State: svc.StopPending, WaitHint: uint32(endHint.Milliseconds())}
				ready = nil
				stop()
			}
		case err := <-ended:
			h.err <- err
			switch {
			case err == nil:
				return false, 0
			case h.work.Final(err):
				return true, ExitConfig
			}
			h.work.Crash(err)
			return true, 1
		}
	}
}
