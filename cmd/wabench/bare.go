package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/connection/wasim/bare"
	"waoutbox/connection/wire"
	"waoutbox/store/device"
)

// bareClient is `wabench bare-client FILE URL KEY`: the library's client alone on a device store as
// the product's, in a process of its own. It prints QR codes, one a line, and ends with its input.
func bareClient(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	if len(args) != 3 {
		return fmt.Errorf("bare-client takes a file, a URL and a key: %w", errUsage)
	}
	server, err := wire.CheckServer(args[1], args[2])
	if err != nil {
		return err
	}
	server.Trust()
	dev, err := device.Open(ctx, args[0], server.RootKeyHex(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dev.Close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	d, err := dev.Current(ctx)
	if err != nil {
		return err
	}
	// through the product's own transport
	web := httpClient(wire.Route{Server: server}.Transport())
	return bare.Run(ctx, d, web, func(qr string) { _, _ = fmt.Fprintln(out, qr) })
}

// startBare starts the bare client in dir and links it with the phone. stop ends it.
func startBare(ctx context.Context, sim *wasim.Server, phone *wasim.Account, dir string) (stop func() error, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program to run it as the bare client: %w", err)
	}
	cmd := exec.CommandContext(ctx, exe, "bare-client", filepath.Join(dir, "whatsapp.db"), sim.URL(), sim.RootKey())
	cmd.Stderr, cmd.WaitDelay = os.Stderr, time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the bare client: %w", err)
	}
	stop = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	codes := bufio.NewScanner(out)
	if !codes.Scan() {
		return nil, errors.Join(errors.New("the bare client showed no code"), codes.Err(), stop())
	}
	if err := phone.ScanQR(ctx, codes.Text()); err != nil {
		return nil, errors.Join(err, stop())
	}
	if err := phone.WaitOnline(ctx); err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}
