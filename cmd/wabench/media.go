package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"waoutbox/connection/wasim"
)

// mediaRun measures what the program itself takes in memory while a large file comes in, kept and
// got, and goes out again.
type mediaRun struct {
	program string
	size    int // MiB
}

func mediaFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x mediaRun
	fs.StringVar(&x.program, "program", "", "the built program (./cmd/waoutbox)")
	fs.IntVar(&x.size, "size", 100, "size of the file in MiB")
	return func(ctx context.Context, b *bench) (report, error) {
		if x.program == "" || x.size < 1 || x.size > 512 {
			return report{}, fmt.Errorf("media needs --program, and a size of 1 to 512: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

func (x mediaRun) measure(ctx context.Context, b *bench) (_ report, err error) {
	p, stop, err := startAlone(ctx, x.program, "--keep-media", "all")
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	phone, state := p.phone, p.state
	bob := phone.NewContact("Bob", "15550100123")
	var rest, in, out series
	for round := range b.rounds {
		anon, _ := processAnon(p.pid)
		rest = append(rest, mebibytes(anon))
		plain := make([]byte, x.size<<20)
		for i := range plain {
			plain[i] = byte(i*7+i>>8) + byte(round)
		}
		file := filepath.Join(filepath.Dir(state), fmt.Sprintf("file-%d", round))
		peak := watchAnon(p.pid)
		err := x.in(ctx, bob, state, plain, file)
		in = append(in, mebibytes(peak()))
		if err != nil {
			return report{}, err
		}
		peak = watchAnon(p.pid)
		err = x.out(ctx, bob, state, file, round+1)
		out = append(out, mebibytes(peak()))
		if err != nil {
			return report{}, err
		}
		b.progress("round %d: %s MiB at rest, %s in, %s out", round+1, number(rest[round]), number(in[round]), number(out[round]))
	}
	return report{
		Settings: map[string]any{"MiB": x.size},
		Rows: []row{
			{Name: "anonymous memory: before", Unit: "MiB", Value: rest, Lower: true},
			{Name: "anonymous memory: a file comes in, is kept and got", Unit: "MiB", Value: in, Floor: 48, Aim: 32, Lower: true},
			{Name: "anonymous memory: the file goes out", Unit: "MiB", Value: out, Floor: 48, Aim: 32, Lower: true},
		},
		Notes: []string{"the real program, linked to the simulator; the most of RssAnon, looked at every 2 ms"},
	}, nil
}

// in has a contact send the file, and gets it by its message when it is kept.
func (x mediaRun) in(ctx context.Context, bob *wasim.Contact, state string, plain []byte, file string) error {
	id, _, err := bob.SendMedia(ctx, wasim.Document, plain, wasim.MediaOptions{})
	if err != nil {
		return err
	}
	err = poll(ctx, 50*time.Millisecond, func() (bool, error) {
		return exec.CommandContext(ctx, x.program, "--state-dir", state, "media", "get", id, "-o", file).Run() == nil, nil
	})
	if err != nil {
		return fmt.Errorf("get the file: %w", err)
	}
	return nil
}

// out sends the file to the contact, as the nth.
func (x mediaRun) out(ctx context.Context, bob *wasim.Contact, state, file string, nth int) error {
	cmd := exec.CommandContext(ctx, x.program, "--state-dir", state, "send", "media", bob.PN(), file, "--kind", "document")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("send the file: %w: %s", err, said)
	}
	return bob.WaitReceived(ctx, nth)
}

// watchAnon looks at the anonymous memory of a process until stop, which returns the most.
func watchAnon(pid int) (stop func() int64) {
	var most int64
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			anon, _ := processAnon(pid)
			most = max(most, anon)
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	})
	return func() int64 { close(end); wg.Wait(); return most }
}
