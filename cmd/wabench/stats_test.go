package main

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		in   series
		want float64
	}{
		{series{3}, 3}, {series{3, 1}, 2}, {series{9, 1, 2}, 2}, {series{4, 1, 3, 2}, 2.5},
	} {
		before := slices.Clone(tt.in)
		if got := tt.in.median(); got != tt.want {
			t.Errorf("median of %v = %v, want %v", tt.in, got, tt.want)
		}
		if !slices.Equal(before, tt.in) {
			t.Errorf("median sorted its argument: %v", tt.in)
		}
	}
	if got := (series{}).median(); !math.IsNaN(got) {
		t.Errorf("median of nothing = %v", got)
	}
	if s := (series{2, 1, 3}); s.min() != 1 || s.max() != 3 {
		t.Errorf("spread %v–%v", s.min(), s.max())
	}
}

func TestQuantileIsNearestRank(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for _, tt := range []struct {
		in   []int
		q    float64
		want int
	}{
		{hundred, 0.5, 50}, {hundred, 0.99, 99}, {hundred, 1, 100}, {hundred, 0, 1}, {[]int{7}, 0.99, 7}, {[]int{1, 2}, 0.5, 1}, {nil, 0.5, 0},
	} {
		if got := quantile(tt.in, tt.q); got != tt.want {
			t.Errorf("quantile %v of %d values = %d, want %d", tt.q, len(tt.in), got, tt.want)
		}
	}
	got := latenciesOf([]time.Duration{3 * time.Millisecond, time.Millisecond, 2 * time.Millisecond})
	if got != (latencies{p50: 2, p99: 3}) {
		t.Errorf("latencies %+v", got)
	}
}

func TestRatioIsTakenRoundByRound(t *testing.T) {
	r := ratio("1", "x", "/s", series{10, 40, 30}, series{10, 20, 10}, 1, 2, false)
	if !slices.Equal(r.Ratio, series{1, 2, 3}) || r.Ratio.median() != 2 {
		t.Errorf("ratios %v", r.Ratio)
	}
}

func TestVerdict(t *testing.T) {
	at := func(v float64, lower bool) string {
		floor, aim := 0.5, 0.9
		if lower {
			floor, aim = 2, 1.2
		}
		return ratio("", "", "", series{v}, series{1}, floor, aim, lower).verdict()
	}
	for _, tt := range []struct {
		v     float64
		lower bool
		want  string
	}{
		{0.9, false, "aim"}, {0.89, false, "floor"}, {0.5, false, "floor"}, {0.49, false, "BELOW FLOOR"},
		{1.2, true, "aim"}, {1.3, true, "floor"}, {2, true, "floor"}, {2.1, true, "BELOW FLOOR"}, {math.NaN(), true, "not measured"},
	} {
		if got := at(tt.v, tt.lower); got != tt.want {
			t.Errorf("%v (lower is better: %v) stands at %q, want %q", tt.v, tt.lower, got, tt.want)
		}
	}
	if got := ratio("", "", "", series{1}, series{1}, 0, 0, false).verdict(); got != "" {
		t.Errorf("a figure without floor stands at %q", got)
	}
	if got := (row{Value: series{70}, Floor: 64, Aim: 32, Lower: true}).verdict(); got != "BELOW FLOOR" {
		t.Errorf("a figure without a limit stands at %q", got)
	}
}

func TestReportShowsMedianSpreadAndBounds(t *testing.T) {
	r := report{Bench: "x", Rows: []row{ratio("7", "the others' p99", "ms", series{2, 6, 3}, series{2, 2, 2}, 2, 1.2, true)}, Notes: []string{"a note"}}
	var text bytes.Buffer
	if err := r.write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"the others' p99", "3.00 ms", "1.50", "1.00–3.00", "≤ 2.00", "≤ 1.20", "floor", "- a note"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	var out bytes.Buffer
	if err := r.writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Rows []struct {
			Better, Verdict string
			Floor, Aim      float64
			Ratio           struct {
				Median, Min, Max float64
				Rounds           []float64
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	got := back.Rows[0]
	if got.Better != "lower" || got.Verdict != "floor" || got.Ratio.Median != 1.5 || got.Ratio.Max != 3 || len(got.Ratio.Rounds) != 3 || got.Floor != 2 {
		t.Errorf("%s", out.String())
	}
}

func TestNumberKeepsThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{0.1234: "0.123", 1.234: "1.23", 12.34: "12.3", 12345.6: "12346", math.NaN(): "–"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}
