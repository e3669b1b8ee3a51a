package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// slower is the least speed, as a part of the one before, that is not called slower.
const slower = 0.95

// figureID names a row across reports.
type figureID struct{ bench, name string }

// figures are the rows of many reports: each figure's median over the reports that have it.
type figures struct {
	order  []figureID // of first occurrence
	values map[figureID]series
	lower  map[figureID]bool // lower is better
}

// compare is `wabench compare BEFORE AFTER`: it reads two files of --json reports and prints, row
// by row, how fast after is as a part of before. Above 1 is faster, whichever way the row counts.
func compare(args []string, stdout io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("compare needs two files of --json reports, before and after: %w", errUsage)
	}
	var both [2]figures
	for i, name := range args {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("compare: %w", err)
		}
		both[i], err = readFigures(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("compare: read %s: %w", name, err)
		}
	}
	return writeComparison(stdout, both[0], both[1])
}

// readFigures reads reports, one JSON object after the other. A row with a ratio is read as its
// ratio: it holds the machine's limit of the same minute.
func readFigures(r io.Reader) (figures, error) {
	out := figures{values: map[figureID]series{}, lower: map[figureID]bool{}}
	type spread struct {
		Rounds series `json:"rounds"`
	}
	for dec := json.NewDecoder(r); ; {
		var rep struct {
			Bench string `json:"bench"`
			Rows  []struct {
				Name   string  `json:"name"`
				Better string  `json:"better"`
				Value  *spread `json:"value"`
				Ratio  *spread `json:"ratio"`
			} `json:"rows"`
		}
		if err := dec.Decode(&rep); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return out, err
		}
		for _, row := range rep.Rows {
			of := row.Ratio
			if of == nil {
				of = row.Value
			}
			if of == nil {
				continue // not measured
			}
			id := figureID{rep.Bench, row.Name}
			if _, known := out.values[id]; !known {
				out.order = append(out.order, id)
			}
			out.values[id] = append(out.values[id], of.Rounds...)
			out.lower[id] = row.Better == "lower"
		}
	}
}

func writeComparison(w io.Writer, before, after figures) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "bench\tfigure\tbefore\tafter\tspeed\tspread before\tspread after\t")
	for _, id := range after.order {
		now, was := after.values[id], before.values[id]
		if len(was) == 0 {
			fmt.Fprintf(tw, "%s\t%s\t–\t%s\tnew\t\t\t\n", id.bench, id.name, number(now.median()))
			continue
		}
		speed := now.median() / was.median()
		if after.lower[id] {
			speed = 1 / speed
		}
		verdict := ""
		if !(speed >= slower) { // NaN too
			verdict = "SLOWER"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s–%s\t%s–%s\t%s\n", id.bench, id.name, number(was.median()), number(now.median()), number(speed),
			number(was.min()), number(was.max()), number(now.min()), number(now.max()), verdict)
	}
	return tw.Flush()
}
