package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"text/tabwriter"
)

// machine is what a reader needs to judge the figures, without names.
type machine struct {
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	CPUs       int    `json:"cpus"`
	Go         string `json:"go"`
	FileSystem string `json:"file_system,omitempty"`
}

func thisMachine(dir string) machine {
	return machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version(), FileSystem: fileSystem(dir)}
}

// report is what one benchmark found.
type report struct {
	Bench    string         `json:"bench"`
	Machine  machine        `json:"machine"`
	Settings map[string]any `json:"settings"`
	Rows     []row          `json:"rows"`
	Notes    []string       `json:"notes,omitempty"`
	// what was sampled over time, in a measurement that has such
	Series []sample `json:"series,omitempty"`
}

// row is one figure beside the limit it is read against. Floor and Aim are of the ratio; both 0
// means that none is set.
type row struct {
	Design string // row of the table in docs/BENCHMARKS.md, "" if it has none
	Name   string
	Unit   string // of Value and Limit
	Value  series // one a round
	// of the same rounds; nil when the figure is not a ratio: then Floor and Aim are in Unit
	Limit series
	Ratio series
	Floor float64
	Aim   float64
	Lower bool // lower is better
}

// ratio makes a row whose ratio is taken round by round.
func ratio(design, name, unit string, value, limit series, floor, aim float64, lower bool) row {
	return row{Design: design, Name: name, Unit: unit, Value: value, Limit: limit, Ratio: value.over(limit), Floor: floor, Aim: aim, Lower: lower}
}

// figure is what is held against floor and aim.
func (r row) figure() series {
	if r.Limit == nil && r.Ratio == nil {
		return r.Value
	}
	return r.Ratio
}

// verdict says where the median stands.
func (r row) verdict() string {
	m := r.figure().median()
	reaches := func(want float64) bool { return r.Lower && m <= want || !r.Lower && m >= want }
	switch {
	case r.Floor == 0 && r.Aim == 0:
		return ""
	case math.IsNaN(m):
		return "not measured"
	case reaches(r.Aim):
		return "aim"
	case reaches(r.Floor):
		return "floor"
	}
	return "BELOW FLOOR"
}

// MarshalJSON adds medians, spread and verdict.
func (r row) MarshalJSON() ([]byte, error) {
	type spread struct {
		Median float64 `json:"median"`
		Min    float64 `json:"min"`
		Max    float64 `json:"max"`
		Rounds series  `json:"rounds"`
	}
	of := func(s series) *spread {
		if len(s) == 0 || math.IsNaN(s.median()) || math.IsInf(s.max(), 0) {
			return nil
		}
		return &spread{s.median(), s.min(), s.max(), s}
	}
	better := "higher"
	if r.Lower {
		better = "lower"
	}
	return json.Marshal(struct {
		Design  string  `json:"design,omitempty"`
		Name    string  `json:"name"`
		Unit    string  `json:"unit"`
		Value   *spread `json:"value"`
		Limit   *spread `json:"limit,omitempty"`
		Ratio   *spread `json:"ratio,omitempty"`
		Better  string  `json:"better"`
		Floor   float64 `json:"floor,omitempty"`
		Aim     float64 `json:"aim,omitempty"`
		Verdict string  `json:"verdict,omitempty"`
	}{r.Design, r.Name, r.Unit, of(r.Value), of(r.Limit), of(r.Ratio), better, r.Floor, r.Aim, r.verdict()})
}

func (r report) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// write prints the report as a table; a figure that is below its floor stands out by its last
// column.
func (r report) write(w io.Writer) error {
	m := r.Machine
	fmt.Fprintf(w, "wabench %s   %s/%s, %d cpus, %s, %s\n", r.Bench, m.OS, m.Arch, m.CPUs, m.Go, m.FileSystem)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "row\tfigure\tmeasured\tlimit\tratio\tmin–max\tfloor\taim\tstands at")
	for _, x := range r.Rows {
		limit, quotient := "", ""
		if x.Limit != nil {
			limit = number(x.Limit.median())
		}
		if x.Ratio != nil {
			quotient = number(x.Ratio.median())
		}
		f := x.figure()
		fmt.Fprintf(tw, "%s\t%s\t%s %s\t%s\t%s\t%s–%s\t%s\t%s\t%s\n", x.Design, x.Name, number(x.Value.median()), x.Unit,
			limit, quotient, number(f.min()), number(f.max()), x.bound(x.Floor), x.bound(x.Aim), x.verdict())
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, s := range r.Series {
		fmt.Fprintln(w, s)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, "-", n)
	}
	_, err := fmt.Fprintln(w)
	return err
}

func (r row) bound(v float64) string {
	switch {
	case r.Floor == 0 && r.Aim == 0:
		return ""
	case r.Lower:
		return "≤ " + number(v)
	}
	return "≥ " + number(v)
}

// number shows three significant digits, all of them from 100 on.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}
