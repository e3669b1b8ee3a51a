// Command mutations breaks the lines that docs/MUTATIONS.md lists, one at a time in a copy of the
// tree, and runs the test that is named with each: it must fail. Run it from the root:
//
//	go run ./.ci/mutations [FLAGS] [WORD…]
//
// With words, only the mutations whose text contains one of them are tried. For each it prints what
// became of it, where it stands, how long it took and which tests failed, and at the end the
// counts. It goes on after a mutation that nothing caught; the exit status is 1 unless all were.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	from, to int
	section  *regexp.Regexp
	atOnce   int
	limit    time.Duration
	words    []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseFlags(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func parseFlags(args []string) (o options, err error) {
	flags := flag.NewFlagSet("mutations", flag.ContinueOnError)
	flags.IntVar(&o.from, "from", 0, "only mutations that begin at this line of "+list+", or below")
	flags.IntVar(&o.to, "to", 0, "only mutations that begin at this line of "+list+", or above")
	flags.IntVar(&o.atOnce, "at-once", 1, "how many are tried at a time, each in a copy of the tree of its own")
	flags.DurationVar(&o.limit, "limit", 5*time.Minute, "how long a test may run: one that does not end within it has caught nothing")
	section := flags.String("section", "", "only mutations below a heading that matches this regular expression, like 'P9|what an agent'")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.section, err = regexp.Compile(*section); err != nil {
		return o, fmt.Errorf("-section: %w", err)
	}
	if o.atOnce < 1 {
		return o, errors.New("-at-once is 1 or more")
	}
	o.words = flags.Args()
	return o, nil
}

func run(ctx context.Context, o options) (err error) {
	text, err := os.ReadFile(list)
	if err != nil {
		return fmt.Errorf("run it from the root of the repository: %w", err)
	}
	all, err := parse(string(text))
	if err != nil {
		return err
	}
	var chosen []mutation
	for _, m := range all {
		if m.selected(o) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("none of the %d mutations of %s is selected", len(all), list)
	}
	var trees []tree
	defer func() {
		for _, t := range trees {
			err = errors.Join(err, os.RemoveAll(t.dir))
		}
	}()
	for range o.atOnce {
		t, err := newTree(o.limit)
		trees = append(trees, t)
		if err != nil {
			return fmt.Errorf("copy the tree: %w", err)
		}
	}
	results := tryAll(ctx, trees, chosen)
	counts := map[verdict]int{}
	for r := range results {
		counts[r.verdict]++
		fmt.Println(r)
	}
	fmt.Println(sum(counts))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if n := len(chosen) - counts[caught]; n > 0 {
		return fmt.Errorf("%d of %d mutations were not caught", n, len(chosen))
	}
	return nil
}

// tryAll tries each mutation in one of the trees, and tells what became of them as they end. First
// the tests run on the tree as it is: one that fails there catches nothing.
func tryAll(ctx context.Context, trees []tree, all []mutation) <-chan result {
	results := make(chan result)
	packages := byPackage(all)
	queue := make(chan []mutation, len(packages))
	for _, ms := range packages {
		queue <- ms
	}
	close(queue)
	var working sync.WaitGroup
	for _, t := range trees {
		working.Go(func() {
			for ms := range queue {
				unbroken := t.unbroken(ctx, ms)
				for _, m := range ms {
					if ctx.Err() != nil {
						return
					}
					began := time.Now()
					r := result{mutation: m, verdict: redBefore, out: unbroken[m.test()]}
					if r.out == "" {
						r = t.try(ctx, m)
					}
					if r.took = time.Since(began); ctx.Err() == nil {
						results <- r
					}
				}
			}
		})
	}
	go func() { working.Wait(); close(results) }()
	return results
}

// sum is the last line.
func sum(counts map[verdict]int) string {
	total := 0
	for _, n := range counts {
		total += n
	}
	parts := []string{fmt.Sprintf("%d applied", total-counts[doesNotApply])}
	for _, v := range verdicts {
		parts = append(parts, fmt.Sprintf("%d %s", counts[v], v))
	}
	return strings.Join(parts, ", ")
}
