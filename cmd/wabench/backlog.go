package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"waoutbox/store"
)

// backlog measures what a large backlog costs: memory, a cold start after kill -9, and appends on
// top of it. The outbox lives in processes of its own, so that nothing of wabench counts.
type backlog struct{ events int }

func backlogFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x backlog
	fs.IntVar(&x.events, "events", 50_000, "events of the backlog; the full size is 1000000")
	return func(ctx context.Context, b *bench) (report, error) {
		if x.events < 1000 {
			return report{}, fmt.Errorf("backlog needs 1000 events: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

func (x backlog) measure(ctx context.Context, b *bench) (report, error) {
	var last, first, ready, posted, atRest, peak, drained, fresh, size, small, left series
	var lastCPU, firstCPU, drainedCPU, freshCPU series
	cold := true
	for round := range b.rounds {
		urls, err := b.receivers.open(answerOK)
		if err != nil {
			return report{}, err
		}
		dir := b.newDir()
		few, err := x.few(ctx, b, urls[0])
		if err != nil {
			return report{}, err
		}
		if err := useMemory(b.dir, int64(x.events)*bodySize*3/2); err != nil {
			return report{}, err
		}
		f, err := x.fill(ctx, dir, urls[0])
		if err != nil {
			return report{}, err
		}
		file := filepath.Join(dir, store.OutboxFile)
		cold = dropCache(file) && cold
		if info, err := os.Stat(file); err == nil {
			size = append(size, float64(info.Size())/float64(x.events*bodySize))
		}
		r, err := x.resume(ctx, dir, urls[0])
		if err != nil {
			return report{}, err
		}
		first, last = append(first, f.First), append(last, f.Last)
		firstCPU, lastCPU = append(firstCPU, f.FirstCPU), append(lastCPU, f.LastCPU)
		ready, posted = append(ready, milliseconds(r.Ready)), append(posted, milliseconds(r.Posted))
		atRest, peak = append(atRest, mebibytes(f.Anon)), append(peak, mebibytes(max(f.Peak, r.Peak)))
		drained, fresh = append(drained, r.Rate), append(fresh, few.Rate)
		drainedCPU, freshCPU = append(drainedCPU, r.CPU), append(freshCPU, few.CPU)
		small, left = append(small, r.Small.Seconds()), append(left, float64(r.File)/float64(max(smallFile, 3*r.Live)))
		b.progress("round %d: ready after %s ms, first POST finished after %s ms, anonymous memory %s MiB at the peak, drained at %s/s",
			round+1, number(ready[round]), number(posted[round]), number(peak[round]), number(r.Rate))
		if err := os.RemoveAll(dir); err != nil {
			return report{}, fmt.Errorf("remove %s: %w", dir, err)
		}
	}
	out := report{
		Settings: map[string]any{"events": x.events, "cold_cache": cold},
		Rows: []row{
			{Design: "4", Name: "anonymous memory, peak while filling and draining", Unit: "MiB", Value: peak, Floor: 64, Aim: 32, Lower: true},
			{Name: "anonymous memory after filling", Unit: "MiB", Value: atRest, Lower: true},
			{Design: "5", Name: "cold start: outbox and lanes ready", Unit: "ms", Value: ready, Floor: 50, Aim: 5, Lower: true},
			{Design: "5", Name: "cold start: first POST finished", Unit: "ms", Value: posted, Floor: 100, Aim: 20, Lower: true},
			ratio("6", "appends, last tenth ÷ first tenth", "/s", last, first, 0.9, 0.95, false),
			ratio("6", fmt.Sprintf("drain of the backlog ÷ of %d events, 1 webhook, 16 in flight", x.fewEvents()), "/s", drained, fresh, 0.7, 0.9, false),
			ratio("", "processor time of an append, last tenth ÷ first tenth", "µs", lastCPU, firstCPU, 0, 0, true),
			ratio("", "processor time of a delivery, of the backlog ÷ of the small one", "µs", drainedCPU, freshCPU, 0, 0, true),
			{Design: "10", Name: "file once drained, retaining nothing, ÷ 64 MiB or 3 × live", Unit: "×", Value: left, Floor: 1, Aim: 1, Lower: true},
			{Name: "until it was so small", Unit: "s", Value: small, Lower: true},
			{Name: "file size ÷ bodies", Unit: "×", Value: size, Lower: true},
		},
		Notes: []string{
			fmt.Sprintf("%d events of 1 KiB wait for 1 webhook; the process that filled is killed while it appends; times count from the opening of the state, without the start of the process", x.events),
		},
	}
	if !cold {
		out.Notes = append(out.Notes, "the file's cache could not be dropped on this system: starts are warm ones")
	}
	if peak.max() == 0 {
		out.Notes = append(out.Notes, "this system does not report the anonymous memory of a process: 0 means not measured")
	}
	return out, nil
}

// fewEvents is how many events make the backlog that the large one is compared with.
func (x backlog) fewEvents() int { return max(1000, x.events/20) }

// few is how a small backlog is delivered.
func (x backlog) few(ctx context.Context, b *bench, url string) (resumed, error) {
	x.events = x.fewEvents()
	dir := b.newDir()
	if _, err := x.fill(ctx, dir, url); err != nil {
		return resumed{}, err
	}
	dropCache(filepath.Join(dir, store.OutboxFile)) // as with the large one
	r, err := x.resume(ctx, dir, url)
	return r, errors.Join(err, os.RemoveAll(dir))
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// fill lets a child append the backlog, and kills it while it goes on appending.
func (x backlog) fill(ctx context.Context, dir, url string) (out filled, err error) {
	c, err := x.child(ctx, childFill, dir, url)
	if err != nil {
		return out, err
	}
	err = json.NewDecoder(c.out).Decode(&out)
	killed := c.cmd.Process.Kill()
	_ = c.cmd.Wait() // "signal: killed" is what was wanted
	if err != nil {
		return out, fmt.Errorf("fill a backlog: %w", err)
	}
	return out, killed
}

// resume lets another child open the state and deliver the backlog.
func (x backlog) resume(ctx context.Context, dir, url string) (out resumed, err error) {
	c, err := x.child(ctx, childResume, dir, url)
	if err != nil {
		return out, err
	}
	err = json.NewDecoder(c.out).Decode(&out)
	if err = errors.Join(err, c.cmd.Wait()); err != nil {
		return out, fmt.Errorf("deliver a backlog: %w", err)
	}
	return out, nil
}

type childProc struct {
	cmd *exec.Cmd
	out interface{ Read([]byte) (int, error) }
}

func (x backlog) child(ctx context.Context, what, dir, url string) (childProc, error) {
	exe, err := os.Executable()
	if err != nil {
		return childProc{}, fmt.Errorf("find this program to run it again: %w", err)
	}
	cmd := exec.CommandContext(ctx, exe, "backlog-child", what, dir, url, fmt.Sprint(x.events))
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return childProc{}, fmt.Errorf("start the outbox's process: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return childProc{}, fmt.Errorf("start the outbox's process: %w", err)
	}
	return childProc{cmd, out}, nil
}
