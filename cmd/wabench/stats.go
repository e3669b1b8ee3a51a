package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// series is one figure of every round, in the order of the rounds.
type series []float64

// median of an even number is the mean of the middle two; of none it is NaN.
func (s series) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	m := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[m]
	}
	return (sorted[m-1] + sorted[m]) / 2
}

func (s series) min() float64 { return s.extreme(slices.Min[series]) }
func (s series) max() float64 { return s.extreme(slices.Max[series]) }

func (s series) extreme(of func(series) float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	return of(s)
}

// over divides round by round: each figure by the limit of its own round.
func (s series) over(limit series) series {
	out := make(series, min(len(s), len(limit)))
	for i := range out {
		out[i] = s[i] / limit[i]
	}
	return out
}

// minus subtracts round by round.
func minus(s, other series) series {
	out := make(series, min(len(s), len(other)))
	for i := range out {
		out[i] = s[i] - other[i]
	}
	return out
}

// quantile returns the nearest-rank quantile of ascending values: the smallest value that at least
// q of all do not exceed.
func quantile[T cmp.Ordered](sorted []T, q float64) T {
	var none T
	if len(sorted) == 0 {
		return none
	}
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// latencies are p50 and p99 of samples, in milliseconds.
type latencies struct{ p50, p99 float64 }

func latenciesOf(samples []time.Duration) latencies {
	sorted := slices.Sorted(slices.Values(samples))
	return latencies{p50: milliseconds(quantile(sorted, 0.50)), p99: milliseconds(quantile(sorted, 0.99))}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
