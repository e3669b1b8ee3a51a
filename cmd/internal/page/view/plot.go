package view

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// The box that a plot is drawn in; page.css stretches it.
const (
	plotWidth  = 600
	plotHeight = 100
)

// Plot is one hour by minute. Its words are HTML, so that they do not stretch.
type Plot struct {
	Label  string // the whole of it for those who do not see it
	Top    string // the largest number of the axis
	Middle string
	Hours  []string // along the axis, the first and the last minute among them
	Areas  []string // paths
	Lines  []string
	Dashes []string
	Bars   string
	Hits   []Hit    // one a minute
	Legend []Legend // what each form stands for
	Tens   []Ten    // the same as numbers
	Low    bool     // drawn lower
	From   string   // before it nothing is known; "" when all is
}

// Hit is what a minute says when it is pointed at.
type Hit struct {
	X     string
	Width string
	Title string
}

// Legend is one series: its form and its sum.
type Legend struct{ Form, Name, Sum string }

// Ten is ten minutes as numbers.
type Ten struct {
	From   string
	Values []string
}

// Series is one series of a plot: a number for each minute, the oldest first; Known says from which
// one on.
type Series struct {
	Name   string
	Form   string // area, dark (dashed) or bars
	Values []int64
	Sum    string // beside the name; "" adds the values up
}

// DrawPlot draws series of the same minutes. since is when the service began: minutes before are
// not known. nums names the columns of the numbers, "" none.
func DrawPlot(c Clock, minutes []time.Time, since time.Time, series ...Series) Plot {
	p := Plot{}
	top := int64(1)
	for _, s := range series {
		for _, v := range s.Values {
			top = max(top, v)
		}
	}
	top = roundUp(top)
	p.Top, p.Middle = term.Count(top), middle(top)
	known := 0 // the first minute that is known
	for known < len(minutes) && !minutes[known].Add(time.Minute).After(since) {
		known++
	}
	if known > 0 && known < len(minutes) {
		p.From = since.In(c.Zone).Format("15:04")
	}
	for _, s := range series {
		line := path(s.Values, known, top)
		switch s.Form {
		case "area":
			p.Lines = append(p.Lines, line)
			if line != "" {
				first := min(known, max(len(s.Values)-2, 0)) // where the line begins
				p.Areas = append(p.Areas, fmt.Sprintf("%sL%d %dL%s %dz", line, plotWidth, plotHeight, at(first, len(s.Values)), plotHeight))
			}
		case "dark":
			p.Dashes = append(p.Dashes, line)
		case "bars":
			p.Bars = bars(s.Values, top)
		}
		sum := s.Sum
		if sum == "" {
			sum = term.Count(total(s.Values))
		}
		p.Legend = append(p.Legend, Legend{s.Form, s.Name, sum})
	}
	p.words(c, minutes, known, series)
	return p
}

// words are the axis, the minutes' titles and the numbers.
func (p *Plot) words(c Clock, minutes []time.Time, known int, series []Series) {
	n := len(minutes)
	var label []string
	for _, l := range p.Legend {
		label = append(label, l.Name+": "+l.Sum)
	}
	p.Label = strings.Join(label, "; ")
	width := trim(float64(plotWidth) / float64(n))
	for i, m := range minutes {
		clock := m.In(c.Zone).Format("15:04")
		if i%10 == 0 || i == n-1 {
			p.Hours = append(p.Hours, clock)
		}
		if i < known {
			continue
		}
		var parts []string
		for _, s := range series {
			parts = append(parts, fmt.Sprintf("%s %s", term.Count(s.Values[i]), strings.ToLower(s.Name)))
		}
		p.Hits = append(p.Hits, Hit{trim(float64(i*plotWidth) / float64(n)), width, clock + ": " + strings.Join(parts, ", ")})
	}
	for i := 0; i < n; i += 10 {
		ten := Ten{From: minutes[i].In(c.Zone).Format("15:04")}
		for _, s := range series {
			if i+9 < known {
				ten.Values = append(ten.Values, term.None)
				continue
			}
			ten.Values = append(ten.Values, term.Count(total(s.Values[i:min(i+10, n)])))
		}
		p.Tens = append(p.Tens, ten)
	}
}

// Spark is a webhook's last hour in a table.
type Spark struct{ Area, Line, Label, Now string }

// DrawSpark draws deliveries per minute.
func DrawSpark(minutes []api.ActivityMinute) Spark {
	values := make([]int64, len(minutes))
	most := int64(0)
	for i, m := range minutes {
		values[i] = m.Delivered
		most = max(most, m.Delivered)
	}
	if len(values) == 0 {
		return Spark{}
	}
	line := path(values, 0, max(most, 1))
	now := term.Count(values[len(values)-1])
	return Spark{
		Area: fmt.Sprintf("%sL%d %dL0 %dz", line, plotWidth, plotHeight, plotHeight), Line: line, Now: now,
		Label: fmt.Sprintf("Deliveries per minute over the last hour: now %s, most %s", now, term.Count(most)),
	}
}

// path is the line through the values from one on. Where it stays level only the ends are named:
// most minutes are as the one before, and a page has a path for each webhook.
func path(values []int64, from int, top int64) string {
	var b strings.Builder
	if from == len(values)-1 && from > 0 { // a line needs two ends
		return fmt.Sprintf("M%s %sH%d", at(from-1, len(values)), y(values[from], top), plotWidth)
	}
	for i := from; i < len(values); i++ {
		if i > from && i < len(values)-1 && values[i-1] == values[i] && values[i] == values[i+1] {
			continue
		}
		op := "L"
		if i == from {
			op = "M"
		}
		b.WriteString(op + at(i, len(values)) + " " + y(values[i], top))
	}
	return b.String()
}

func bars(values []int64, top int64) string {
	var b strings.Builder
	width := float64(plotWidth) / float64(max(len(values), 1))
	for i, v := range values {
		if v > 0 {
			fmt.Fprintf(&b, "M%s %dV%sh%sV%dz", trim(float64(i)*width+width*0.15), plotHeight, y(v, top), trim(width*0.7), plotHeight)
		}
	}
	return b.String()
}

// at is the place of value i of n along the axis.
func at(i, n int) string { return trim(float64(i) * plotWidth / float64(max(n-1, 1))) }

func y(v, top int64) string { return trim(plotHeight - float64(v)*plotHeight/float64(top)) }

func trim(f float64) string { return strconv.FormatFloat(float64(int64(f*10+0.5))/10, 'f', -1, 64) }

func total(values []int64) (n int64) {
	for _, v := range values {
		n += v
	}
	return n
}

// roundUp is the next number that an axis may end at.
func roundUp(n int64) int64 {
	for step := int64(1); ; step *= 10 {
		for _, m := range []int64{2, 4, 6, 8, 10} {
			if n <= m*step {
				return m * step
			}
		}
	}
}

func middle(top int64) string { return term.Count(top / 2) }
